/** Where the client keeps the addresses of peers for its next start. */

/** A peer as a store keeps it. */
export interface SavedPeer {
  /** Peer id. */
  peer: string
  /** Multiaddrs. The first one is the address at which the peer answered. */
  addresses: readonly string[]
  /** When the peer last answered, milliseconds since the epoch. */
  seenAt: number
}

/** Where saved peers are kept. A method may throw: the client then continues with what it has in memory. */
export interface PeerStore {
  load: () => Iterable<SavedPeer>
  /** Adds the peer, or replaces it. */
  save: (peer: SavedPeer) => void
  remove: (peer: string) => void
  close: () => void
}

/** Saved peers that last as long as the object. */
export class MemoryPeerStore implements PeerStore {
  readonly #peers = new Map<string, SavedPeer>()

  load(): SavedPeer[] {
    return [...this.#peers.values()]
  }

  save(peer: SavedPeer): void {
    this.#peers.set(peer.peer, peer)
  }

  remove(peer: string): void {
    this.#peers.delete(peer)
  }

  close(): void {}
}
