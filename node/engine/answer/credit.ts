/** How many tokens may still be generated before the caller has to say that it wants more. */
export class Credit {
  #left: number
  #wake: (() => void) | undefined

  constructor(tokens: number) {
    this.#left = tokens
  }

  grant(tokens: number): void {
    this.#left += tokens
    if (this.#left > 0) this.#wake?.()
  }

  /** Takes one token's credit if there is any. */
  take(): boolean {
    if (this.#left <= 0) return false
    this.#left--
    return true
  }

  /** Resolves when `take` will succeed; rejects with the signal's reason. */
  async available(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (this.#left > 0) return
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const abort = (): void => reject(signal.reason as Error)
    this.#wake = resolve
    signal.addEventListener('abort', abort, { once: true })
    try {
      await promise
    } finally {
      this.#wake = undefined
      signal.removeEventListener('abort', abort)
    }
  }
}
