/**
 * Logs which peer exceeded which limit, never what the peer wrote.
 *
 * The log writes a limited number of lines. Otherwise a peer that floods the node could fill its disk.
 */
import type { ErrorCode } from '@potluck/protocol'
import { LRUCache } from 'lru-cache'
import type { Logger } from 'pino'

import { ABUSE_LOG_INTERVAL_MS, ABUSE_LOG_PAIRS } from '../limits/limits.ts'

/** What happens to honest callers too, such as a prompt that is too long. By default the owner does not see it. */
const MISHAPS: ReadonlySet<string> = new Set<ErrorCode>([
  'context_length_exceeded',
  'invalid_request',
  'request_timeout',
  'stream_cut'
])

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
    const level = MISHAPS.has(limit) ? 'info' : 'warn'
    this.#logger[level]({ peer, limit, suppressed: logged?.suppressed ?? 0 }, 'a peer exceeded a limit')
  }
}
