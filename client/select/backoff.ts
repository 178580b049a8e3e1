/** Computes when the client can ask a node again that refused. Pure. */
import { FIRST_BACKOFF_MS, MAX_RETRY_AFTER_MS } from './constants.ts'

export interface Backoff {
  /** Refusals in a row. */
  refusals: number
  /** Milliseconds since the epoch. */
  notBefore: number
}

/**
 * Returns the state after a refusal. The client obeys the node's retry-after. If the node still refuses after that
 * time, the client asks it less and less often.
 */
export function backOff(before: Backoff | undefined, retryAfterMs: number | undefined, now: number): Backoff {
  const refusals = (before?.refusals ?? 0) + 1
  const own = FIRST_BACKOFF_MS * 2 ** (refusals - 1)
  const waitMs = retryAfterMs === undefined ? own : Math.max(retryAfterMs, refusals > 2 ? own / 4 : 0)
  return { refusals, notBefore: now + Math.min(waitMs, MAX_RETRY_AFTER_MS) }
}
