/** Where reputations outlive the process. */
import type { PeerState } from './state.ts'

export interface StoredPeer {
  peer: string
  /** `sha256:…` of the model. */
  digest: string
  state: PeerState
}

/**
 * Keeps states by (peer, digest). What `save` returned for must be there after the process was
 * killed at any later moment, and a row is either the old or the new one.
 */
export interface ReputationStore {
  load: () => Iterable<StoredPeer>
  /** @throws Error if it could not be written */
  save: (entry: StoredPeer) => void
  remove: (peer: string, digest: string) => void
  close: () => void
}

/** Forgets with the process: for browsers, and for tests. */
export class MemoryReputationStore implements ReputationStore {
  readonly #entries = new Map<string, StoredPeer>()

  load(): Iterable<StoredPeer> {
    return [...this.#entries.values()]
  }

  save(entry: StoredPeer): void {
    this.#entries.set(`${entry.peer} ${entry.digest}`, entry)
  }

  remove(peer: string, digest: string): void {
    this.#entries.delete(`${peer} ${digest}`)
  }

  close(): void {
    this.#entries.clear()
  }
}
