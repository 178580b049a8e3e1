/**
 * Bounds the number of peers in libp2p's peer store. Keys are free, and the store keeps every peer that connected once
 * or that a reply of the DHT named. libp2p removes an expired peer only when something asks for it.
 */
import type { PeerId, PeerStore } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'

/**
 * Peers in the store, usually with less than 1 KiB each, and with 8 KiB at most. A lookup of a client asks 2,000 peers
 * at most, and a relay has at most 2,048 connections.
 */
export const MAX_STORED_PEERS: number = 4_096
/** A full store looks at this many unconnected peers, the least recently written first, and removes one of them. */
const COMPARED_PEERS = 16

export class StoredPeers {
  readonly #store: Pick<PeerStore, 'all' | 'get' | 'delete'>
  readonly #isConnected: (peer: PeerId) => boolean
  readonly #most: number
  /**
   * Peer ids, the least recently written first. As text, because a parsed id can keep 64 KiB of a pool of Node in
   * memory.
   */
  readonly #peers = new Set<string>()

  /** @param most peers in the store, as long as fewer are connected */
  constructor(store: Pick<PeerStore, 'all' | 'get' | 'delete'>, isConnected: (peer: PeerId) => boolean, most: number) {
    this.#store = store
    this.#isConnected = isConnected
    this.#most = most
  }

  /** Reads which peers an earlier start has stored. */
  async load(): Promise<void> {
    for (const { id } of await this.#store.all()) await this.written(id)
  }

  /** Removes another peer if there are too many. libp2p's protocols tag the peers that they need. */
  async written(peer: PeerId): Promise<void> {
    this.#renew(peer.toString())
    if (this.#peers.size <= this.#most) return
    let tagged: PeerId | undefined
    let compared = 0
    let left = this.#peers.size
    for (const name of this.#peers) {
      if (left-- === 0 || compared === COMPARED_PEERS) break
      const oldest = peerIdFromString(name)
      if (!this.#isConnected(oldest)) {
        if (!(await this.#isTagged(oldest))) return await this.#remove(oldest)
        tagged ??= oldest
        compared++
      }
      // Otherwise the same peers would be compared at every write.
      this.#renew(name)
    }
    if (tagged !== undefined) await this.#remove(tagged)
  }

  #renew(name: string): void {
    this.#peers.delete(name)
    this.#peers.add(name)
  }

  async #isTagged(peer: PeerId): Promise<boolean> {
    // The store rejects for a peer that has expired.
    return await this.#store.get(peer).then(
      ({ tags }) => tags.size > 0,
      () => false
    )
  }

  async #remove(peer: PeerId): Promise<void> {
    this.#peers.delete(peer.toString())
    await this.#store.delete(peer)
  }
}
