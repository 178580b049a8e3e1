/** Whether a request leaves a node that has not begun to answer. Pure. */
import type { RankedCandidate } from './candidate.ts'
import { MOVE_GAIN, OVERDUE_FACTOR, PREFIX_GAIN } from './constants.ts'

/**
 * The remaining wait, as far as the client can know. Before the reported wait ends, it is the rest of that wait. After
 * the first token is overdue, it is again as long as the token is overdue. In between it is 0, because the node
 * evaluates the prompt, and leaving would waste that work.
 *
 * @param reportedWaitMs the wait that `accepted` reported
 * @param sinceMs time since the request was sent
 */
export function remainingWaitMs({ node, predicted }: RankedCandidate, reportedWaitMs: number, sinceMs: number): number {
  const prefillMs = predicted.ttftMs - predicted.waitMs
  const begins = node.roundTripMs + reportedWaitMs
  if (sinceMs < begins) return begins - sinceMs
  const overdue = sinceMs - begins - OVERDUE_FACTOR * prefillMs
  return overdue > 0 ? sinceMs - begins : 0
}

/**
 * Whether to give up a place in a queue for a node whose load is known fresh. Nothing was evaluated yet, so a move
 * costs one round trip, where a hedge costs a prefill.
 *
 * @param waitMs from `remainingWaitMs`
 */
export function shouldMove(from: RankedCandidate, waitMs: number, to: RankedCandidate): boolean {
  const expected = from.predicted.totalMs - from.predicted.waitMs + waitMs
  const gain = from.why === 'holds_prefix' ? PREFIX_GAIN : MOVE_GAIN
  return waitMs > 0 && isProven(to) && to.predicted.totalMs * gain < expected
}

/** Whether hedges and moves may go to this node. A full queue must not drive a request to an unknown peer. */
export function isProven({ why }: RankedCandidate): boolean {
  return why !== 'probationary' && why !== 'probation_share' && why !== 'resting'
}
