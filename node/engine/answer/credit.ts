import { raceSignal } from 'race-signal'

/** The number of tokens that a generation can still produce until the caller grants more. */
export class Credit {
  #left: number
  /** Resolves the promise of `available`. */
  #wake: (() => void) | undefined

  constructor(tokens: number) {
    this.#left = tokens
  }

  grant(tokens: number): void {
    this.#left += tokens
    if (this.#left > 0) this.#wake?.()
  }

  /** Takes the credit for one token. Returns false if there is none. */
  take(): boolean {
    if (this.#left <= 0) return false
    this.#left--
    return true
  }

  /** Resolves when `take` will succeed; rejects with the signal's reason. */
  async available(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (this.#left > 0) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#wake = resolve
    await raceSignal(promise, signal)
  }
}
