import type { Connection, PeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { CID } from 'multiformats/cid'

/** A peer to dial. Without addresses, libp2p uses the addresses that it knows. */
export interface Dialable {
  peerId: PeerId
  addresses: readonly Multiaddr[]
}

/** A peer that may be a node of the network. */
export interface Found extends Dialable {
  /** `entry`: a bootstrap address or a peer on the local network. It may be a node or not. */
  via: 'entry' | 'dht'
}

/** The network operations that discovery and attempts need. */
export interface Network {
  /**
   * An open connection to the peer, or a new one.
   *
   * @throws the errors of libp2p's dial
   */
  connect: (peer: Dialable, signal: AbortSignal) => Promise<Connection>
  /**
   * Yields peers that may serve the content of the key, as they are found: first the entry peers, then the providers
   * that the DHT knows. Can yield a peer more than once. An entry peer can be the only node of the network.
   *
   * @throws PotluckError `no_providers` if no entry peer could be reached
   */
  providers: (cid: CID, signal: AbortSignal) => AsyncIterable<Found>
  /** Returns the bytes of the peer's card on the DHT. They are not verified, and can be old. */
  cardRecord: (peerId: PeerId, signal: AbortSignal) => Promise<Uint8Array>
  /** Aborts the open connections whose peers no longer answer. Returns the ids of the peers that do. */
  abortSilent: (signal: AbortSignal) => Promise<string[]>
  stop: () => Promise<void>
}
