/** Whether to leave a node that has not begun yet. */
import { MOVE_GAIN, OVERDUE_FACTOR, PREFIX_PATIENCE } from './constants.ts'
import type { Contender } from './contender.ts'
import type { Choice } from './rank.ts'

/**
 * What is left to wait, for all that can be known: until the told wait is over that; when the first
 * token is overdue, as long again as it is overdue. 0 in between, while the prompt is evaluated: who
 * leaves then wastes that.
 *
 * @param sinceMs time since the request was sent
 */
export function remainingWaitMs<C extends Contender>(
  { contender, predicted }: Choice<C>,
  toldWaitMs: number,
  sinceMs: number
): number {
  const prefillMs = predicted.ttftMs - predicted.waitMs
  const begins = contender.roundTripMs + toldWaitMs
  if (sinceMs < begins) return begins - sinceMs
  const overdue = sinceMs - begins - OVERDUE_FACTOR * prefillMs
  return overdue > 0 ? sinceMs - begins : 0
}

/**
 * Whether to give up a place in a queue for another node that was just asked for its load. Nothing
 * was evaluated yet, so this costs a round trip where a hedge costs a prefill.
 *
 * @param waitMs from `remainingWaitMs`
 */
export function shouldMove<C extends Contender>(from: Choice<C>, waitMs: number, to: Choice<C>): boolean {
  const expected = from.predicted.totalMs - from.predicted.waitMs + waitMs
  const gain = from.why === 'holds_prefix' ? PREFIX_PATIENCE : MOVE_GAIN
  return waitMs > 0 && isProven(to) && to.predicted.totalMs * gain < expected
}

/** Whether a request may go there beyond its first choice: a full queue must not drive it to strangers. */
export function isProven<C extends Contender>({ why }: Choice<C>): boolean {
  return why !== 'probationary' && why !== 'probation_share' && why !== 'resting'
}
