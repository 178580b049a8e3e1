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
  /**
   * Keeps an audited answer, for a proof, beside the peer's others; the oldest leaves when there are more than
   * `MAX_KEPT_ANSWERS`. Only answers that the user marked as shareable come here.
   *
   * @throws Error if it could not be written
   */
  keep: (peer: string, digest: string, answer: Uint8Array) => void
  /** Oldest first. */
  kept: (peer: string, digest: string) => Uint8Array[]
  close: () => void
}

/** Of one peer with one model: a cheat at 10 % is banned within less. Some 10 KB each. */
export const MAX_KEPT_ANSWERS: number = 64

/** Forgets with the process: for browsers, and for tests. */
export class MemoryReputationStore implements ReputationStore {
  readonly #entries = new Map<string, StoredPeer>()
  readonly #answers = new Map<string, Uint8Array[]>()

  load(): Iterable<StoredPeer> {
    return [...this.#entries.values()]
  }

  save(entry: StoredPeer): void {
    this.#entries.set(`${entry.peer} ${entry.digest}`, entry)
  }

  remove(peer: string, digest: string): void {
    this.#entries.delete(`${peer} ${digest}`)
    this.#answers.delete(`${peer} ${digest}`)
  }

  keep(peer: string, digest: string, answer: Uint8Array): void {
    this.#answers.set(`${peer} ${digest}`, [...this.kept(peer, digest), answer].slice(-MAX_KEPT_ANSWERS))
  }

  kept(peer: string, digest: string): Uint8Array[] {
    return this.#answers.get(`${peer} ${digest}`) ?? []
  }

  close(): void {
    this.#answers.clear()
    this.#entries.clear()
  }
}
