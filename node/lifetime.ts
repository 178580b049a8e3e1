/** Ends a running daemon: waits for the work in progress, then runs the cleanups in reverse order. */
import { raceSignal } from 'race-signal'

export class Lifetime {
  readonly #stopping = new AbortController()
  readonly #cleanups: (() => Promise<void>)[] = []
  readonly #work = new Set<Promise<void>>()
  #stopped: Promise<void> | undefined

  /** Fires at the beginning of `stop`. */
  get stopping(): AbortSignal {
    return this.#stopping.signal
  }

  /** Runs `cleanup` when the daemon stops. The last registered cleanup runs first. */
  onStop(cleanup: () => Promise<void>): void {
    this.#cleanups.push(cleanup)
  }

  /** Adds work in progress. The promise must not reject, and the work must end soon after `stopping` fires. */
  track(work: Promise<void>): Promise<void> {
    const tracked = work.finally(() => this.#work.delete(tracked))
    this.#work.add(tracked)
    return tracked
  }

  /** Resolves when no work is in progress, or after `timeoutMs`. */
  async idle(timeoutMs: number): Promise<void> {
    const late = AbortSignal.timeout(timeoutMs)
    while (this.#work.size > 0 && !late.aborted) {
      // Work never rejects, so only the timeout ends this with an error.
      await raceSignal(Promise.all(this.#work), late).catch(() => undefined)
    }
  }

  /** Stops everything. Repeated calls return the promise of the first. */
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
