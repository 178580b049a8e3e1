/** Holds the evaluations of a scripted engine until a test lets them continue, one by one or all. */
export class Gate {
  #passes = 0
  #open = false
  readonly #held: (() => void)[] = []
  readonly #watchers = new Set<{ count: number; resolve: () => void }>()

  /** The number of evaluations that wait now. */
  get held(): number {
    return this.#held.length
  }

  /** Lets this many evaluations continue, including future ones. */
  step(count = 1): void {
    this.#passes += count
    while (this.#passes > 0 && this.#held.length > 0) {
      this.#passes--
      this.#held.shift()!()
    }
  }

  /** Lets all evaluations continue, now and in future. */
  open(): void {
    this.#open = true
    for (const go of this.#held.splice(0)) go()
  }

  /** Waits until the gate lets the evaluation continue. For `ScriptedOptions.before`. */
  async pass(signal: AbortSignal): Promise<void> {
    if (this.#open) return
    if (this.#passes > 0) {
      this.#passes--
      return
    }
    const { promise, resolve } = Promise.withResolvers<void>()
    const forget = (): void => {
      const index = this.#held.indexOf(resolve)
      if (index >= 0) this.#held.splice(index, 1)
      resolve()
    }
    signal.addEventListener('abort', forget, { once: true })
    this.#held.push(resolve)
    for (const watcher of this.#watchers) if (this.#held.length >= watcher.count) watcher.resolve()
    await promise
    signal.removeEventListener('abort', forget)
  }

  /** Resolves when at least this many evaluations wait. */
  async holds(count = 1): Promise<void> {
    if (this.#held.length >= count) return
    const { promise, resolve } = Promise.withResolvers<void>()
    const watcher = { count, resolve }
    this.#watchers.add(watcher)
    await promise
    this.#watchers.delete(watcher)
  }
}
