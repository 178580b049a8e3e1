/**
 * The log line that names a peer and the limit it ran into: never what it wrote.
 * Lines are bounded too, or whoever floods a node fills its disk.
 */
import type { Logger } from 'pino'

/** Of one peer and limit, one line in this time; the next line counts those left out. */
const QUIET_MS = 10_000
/** Pairs of peer and limit that are remembered. */
const REMEMBERED = 1024

interface Silence {
  until: number
  suppressed: number
}

export class AbuseLog {
  readonly #logger: Logger
  readonly #now: () => number
  readonly #silences = new Map<string, Silence>()

  constructor(logger: Logger, now: () => number) {
    this.#logger = logger
    this.#now = now
  }

  /** @param limit what was exceeded: a code and a name of ours */
  report(peer: string, limit: string): void {
    const now = this.#now()
    const key = `${peer} ${limit}`
    const silence = this.#silences.get(key)
    if (silence !== undefined && silence.until > now) {
      silence.suppressed++
      return
    }
    this.#silences.delete(key)
    this.#silences.set(key, { until: now + QUIET_MS, suppressed: 0 })
    const oldest = this.#silences.keys().next()
    if (this.#silences.size > REMEMBERED && !oldest.done) this.#silences.delete(oldest.value)
    this.#logger.warn({ peer, limit, suppressed: silence?.suppressed ?? 0 }, 'a peer exceeded a limit')
  }
}
