/** When a node that refused may be asked again. Pure. */
import { FIRST_BACKOFF_MS, MAX_RETRY_AFTER_MS } from './constants.ts'

export interface Backoff {
  /** Refusals in a row. */
  refusals: number
  /** Milliseconds since the epoch. */
  notBefore: number
}

/**
 * After a refusal. The node's own time is honoured; a node that keeps refusing at the times it
 * named itself is asked ever less often.
 */
export function backOff(before: Backoff | undefined, retryAfterMs: number | undefined, now: number): Backoff {
  const refusals = (before?.refusals ?? 0) + 1
  const own = FIRST_BACKOFF_MS * 2 ** (refusals - 1)
  const waitMs = retryAfterMs === undefined ? own : Math.max(retryAfterMs, refusals > 2 ? own / 4 : 0)
  return { refusals, notBefore: now + Math.min(waitMs, MAX_RETRY_AFTER_MS) }
}
