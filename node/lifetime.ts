/** A running daemon's end: what has to be stopped, in reverse order, and the work that may finish before. */
export class Lifetime {
  readonly #stopping = new AbortController()
  readonly #cleanups: (() => Promise<void>)[] = []
  readonly #work = new Set<Promise<void>>()
  #stopped: Promise<void> | undefined

  /** Fires at the beginning of `stop`. */
  get stopping(): AbortSignal {
    return this.#stopping.signal
  }

  /** Runs when the daemon stops, the last registered first. */
  onStop(cleanup: () => Promise<void>): void {
    this.#cleanups.push(cleanup)
  }

  /** Work that is under way: it must not reject, and has to end soon after `stopping`. */
  track(work: Promise<void>): Promise<void> {
    const tracked = work.finally(() => this.#work.delete(tracked))
    this.#work.add(tracked)
    return tracked
  }

  /** Resolves when no work is under way, or after `timeoutMs`. */
  async idle(timeoutMs: number): Promise<void> {
    const timeout = Promise.withResolvers<'late'>()
    const timer = setTimeout(() => timeout.resolve('late'), timeoutMs)
    while (this.#work.size > 0) {
      if ((await Promise.race([Promise.all(this.#work), timeout.promise])) === 'late') break
    }
    clearTimeout(timer)
  }

  /** Ends everything. May be called again: the first call's promise is returned. */
  async stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    await this.#stopped
  }

  async #stop(): Promise<void> {
    this.#stopping.abort()
    await Promise.all(this.#work)
    for (const cleanup of this.#cleanups.toReversed()) await cleanup()
  }
}
