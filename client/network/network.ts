import type { Connection, PeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { CID } from 'multiformats/cid'

/** Who to dial. No addresses: those that libp2p knows of. */
export interface Dialable {
  peerId: PeerId
  addresses: readonly Multiaddr[]
}

/** A peer that may be a node. */
export interface Found extends Dialable {
  /** `entrance`: a bootstrap address or a peer on the local network, which may be a node or not. */
  via: 'entrance' | 'dht'
}

/** What discovery and attempts need of the network. */
export interface Network {
  /**
   * An open connection to the peer, or a new one.
   *
   * @throws whatever libp2p's dial throws
   */
  connect: (peer: Dialable, signal: AbortSignal) => Promise<Connection>
  /**
   * Peers that may serve what the key stands for, each given as it is found, perhaps more than once: the
   * entrances to the network, one of which may be the only node, and the providers that the DHT knows.
   *
   * @throws PotluckError `no_providers` if the network could not be entered at all
   */
  providers: (cid: CID, signal: AbortSignal) => AsyncIterable<Found>
  /** The bytes of the peer's card on the DHT: not verified, perhaps old. */
  cardRecord: (peerId: PeerId, signal: AbortSignal) => Promise<Uint8Array>
  stop: () => Promise<void>
}
