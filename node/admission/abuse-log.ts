/**
 * Logs which peer exceeded which limit, never what the peer wrote.
 *
 * The log writes a limited number of lines. Otherwise a peer that floods the node could fill its disk.
 */
import { LRUCache } from 'lru-cache'
import type { Logger } from 'pino'

import { ABUSE_LOG_INTERVAL_MS, ABUSE_LOG_PAIRS } from '../limits/limits.ts'

interface LoggedPair {
  /** The log writes no line for this pair before this time. */
  quietUntil: number
  /** Reports since the last line. */
  suppressed: number
}

export class AbuseLog {
  readonly #logger: Logger
  readonly #now: () => number
  readonly #pairs = new LRUCache<string, LoggedPair>({ max: ABUSE_LOG_PAIRS })

  /** @param now milliseconds; any origin */
  constructor(logger: Logger, now: () => number) {
    this.#logger = logger
    this.#now = now
  }

  /** @param limit what the peer exceeded: an error code, or the name of a limit */
  report(peer: string, limit: string): void {
    const now = this.#now()
    const key = `${peer} ${limit}`
    const logged = this.#pairs.peek(key)
    if (logged !== undefined && logged.quietUntil > now) {
      logged.suppressed++
      return
    }
    this.#pairs.set(key, { quietUntil: now + ABUSE_LOG_INTERVAL_MS, suppressed: 0 })
    this.#logger.warn({ peer, limit, suppressed: logged?.suppressed ?? 0 }, 'a peer exceeded a limit')
  }
}
