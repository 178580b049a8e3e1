/**
 * Repeats writes that another process delays. SQLite waits for a lock inside the call, so a long timeout would block
 * this process and all its connections. Instead, a write that meets a lock waits in memory, and a timer repeats it.
 */

/** Time between two attempts. */
const RETRY_MS = 250
/** Writes that wait. Each has a row of about 1 KB, or a kept answer of about 10 KB. */
const MAX_WAITING = 1_024
/** No honest process holds the lock for so long. After this time the writer reports the lock with every write. */
const REPORT_MS = 2_000
/** SQLite's codes SQLITE_BUSY and SQLITE_LOCKED, without the extended part in the higher bits. */
const BUSY_CODES: readonly number[] = [5, 6]

export class RetryingWriter {
  readonly #now: () => number
  /** By key, the oldest first. */
  readonly #waiting = new Map<string, () => void>()
  #waitingSince = 0
  #failure: unknown
  #timer: NodeJS.Timeout | undefined

  /** @param now milliseconds, monotonic */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  get isWaiting(): boolean {
    return this.#waiting.size > 0
  }

  /**
   * Writes now, or as soon as no other process holds the lock.
   *
   * @param key a later write with the same key replaces a waiting one
   * @throws Error of the write. If it is about a lock that has been held for `REPORT_MS`, the write still waits
   */
  write(key: string, run: () => void): void {
    if (!this.isWaiting) {
      try {
        return run()
      } catch (error) {
        if (!isBusy(error)) throw error
        this.#failure = error
        this.#waitingSince = this.#now()
      }
    }
    this.#waiting.delete(key)
    this.#waiting.set(key, run)
    const [oldest] = this.#waiting.keys()
    if (this.#waiting.size > MAX_WAITING && oldest !== undefined) this.#waiting.delete(oldest)
    this.#timer ??= setInterval(() => this.#retry(), RETRY_MS).unref()
    if (this.#now() - this.#waitingSince >= REPORT_MS) throw this.#failure
  }

  /** @throws Error if a write still waits afterwards */
  close(): void {
    this.#retry()
    clearInterval(this.#timer)
    if (this.isWaiting) throw this.#failure
  }

  #retry(): void {
    for (const [key, run] of this.#waiting) {
      try {
        run()
      } catch (error) {
        this.#failure = error
        return
      }
      this.#waiting.delete(key)
    }
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && BUSY_CODES.includes(Number(error.errcode) & 0xff)
}
