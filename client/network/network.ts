/** What discovery and attempts need of the network: dials and single requests. `client/discover` chooses the peers. */
import type { Connection, PeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { CardReply, KadPeer, KadReply } from '@potluck/protocol'
import type { CID } from 'multiformats/cid'

/** A peer to dial. Without addresses, libp2p uses the addresses that it knows. */
export interface Dialable {
  peerId: PeerId
  addresses: readonly Multiaddr[]
}

/** The result of dialling a bootstrap address, or a peer on the local network. Not every such peer is a node. */
export type Entry = { address: string; via: 'bootstrap' | 'lan' } & ({ peerId: PeerId } | { error: unknown })

export interface CardAnswer {
  reply: CardReply
  /** From the open connection to the reply, milliseconds. */
  roundTripMs: number
  /** Whether a relay carried the connection. Undefined: unknown. */
  relayed?: boolean
  /** The address at which the peer answered. Undefined if the connection has none that another client could dial. */
  address: Multiaddr | undefined
}

export interface Network {
  /** The ways to find entry peers. */
  readonly entrances: { readonly bootstrap: boolean; readonly lan: boolean }
  /**
   * An open connection to the peer, or a new one.
   *
   * @throws the errors of libp2p's dial
   */
  connect: (peer: Dialable, signal: AbortSignal) => Promise<Connection>
  /** Dials the entry peers, and yields the result of each as soon as it is known. Ends when no other is expected. */
  entries: (signal: AbortSignal) => AsyncIterable<Entry>
  /** Servers of the DHT that the client knows from earlier connections. */
  servers: () => Promise<KadPeer[]>
  /**
   * Asks one server of the DHT for the providers of a key, and for servers that are closer to it.
   *
   * @throws as `askKad` of the protocol
   */
  askKad: (server: KadPeer, key: CID, signal: AbortSignal) => Promise<KadReply>
  /**
   * Asks a peer for its card and for cards of others. No card is verified.
   *
   * @throws PotluckError with the code of the phase that failed
   */
  askCard: (peer: Dialable, signal: AbortSignal) => Promise<CardAnswer>
  /** Returns the bytes of the peer's card on the DHT. They are not verified, and can be old. */
  cardRecord: (peerId: PeerId, signal: AbortSignal) => Promise<Uint8Array>
  /**
   * Returns the bytes of the fraud proof against a peer on the DHT. They are not verified. Rejects if there is none.
   */
  proofRecord: (accused: PeerId, signal: AbortSignal) => Promise<Uint8Array>
  /** Stores a fraud proof against a peer on the DHT. */
  putProof: (accused: PeerId, bytes: Uint8Array, signal: AbortSignal) => Promise<void>
  /** Aborts the open connections whose peers no longer answer. Returns the ids of the peers that do. */
  abortSilent: (signal: AbortSignal) => Promise<string[]>
  stop: () => Promise<void>
}
