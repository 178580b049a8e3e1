import type { PeerInfo } from '@libp2p/interface'

import { MAX_LAN_PEERS } from '../base/constants.ts'

/** Peers that announced themselves on the local network, remembered for every lookup. */
export class LanPeers {
  readonly #peers = new Map<string, PeerInfo>()
  readonly #listeners = new Set<(peer: PeerInfo) => void>()

  add(peer: PeerInfo): void {
    const name = peer.id.toString()
    if (!this.#peers.has(name) && this.#peers.size >= MAX_LAN_PEERS) return
    this.#peers.set(name, peer)
    for (const listener of this.#listeners) listener(peer)
  }

  /** Calls the listener for every known peer and every new one, until the signal fires. */
  follow(listener: (peer: PeerInfo) => void, signal: AbortSignal): void {
    if (signal.aborted) return
    for (const peer of this.#peers.values()) listener(peer)
    this.#listeners.add(listener)
    signal.addEventListener('abort', () => this.#listeners.delete(listener), { once: true })
  }
}
