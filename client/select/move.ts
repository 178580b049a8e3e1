/** Whether the client moves a request to another node before the first token. Pure. */
import type { RankedCandidate } from './candidate.ts'
import { MOVE_GAIN, OVERDUE_FACTOR, PREFIX_GAIN } from './constants.ts'

/**
 * Estimates how much longer the request waits in the queue, milliseconds:
 *
 * - before the reported wait has ended: the rest of it
 * - then, while the node probably evaluates the prompt: 0, because a move would waste that work
 * - when the first token is overdue (`OVERDUE_FACTOR`): the time since the reported wait ended. The true wait is
 *   unknown, so the client expects to wait as long again
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
 * Returns whether to move the request out of a queue to a node that has just reported its load. The first node has
 * evaluated nothing yet, so a move costs only one round trip. A hedge would cost a prefill.
 *
 * @param waitMs from `remainingWaitMs`
 */
export function shouldMove(from: RankedCandidate, waitMs: number, to: RankedCandidate): boolean {
  const expected = from.predicted.totalMs - from.predicted.waitMs + waitMs
  const gain = from.why === 'holds_prefix' ? PREFIX_GAIN : MOVE_GAIN
  // A card can claim any speed, so an unmeasured node counts as no faster than this one.
  const leastMs = to.measured ? 0 : to.predicted.waitMs + from.predicted.totalMs - from.predicted.waitMs
  return waitMs > 0 && isEligible(to, from) && Math.max(to.predicted.totalMs, leastMs) * gain < expected
}

/**
 * Whether a hedge or a move may go to this node. Full queues must not give probationary peers more than their share of
 * the requests. But if the request is at a probationary peer because no established peer is left, its share is
 * everything. Otherwise a client that has audited nobody yet would send no hedge. The same is true for nodes that failed a
 * short time ago.
 *
 * @param from the node that has the request now
 */
export function isEligible({ why }: RankedCandidate, from: RankedCandidate): boolean {
  if (why === 'probationary') return from.why === 'probationary' || from.why === 'avoided'
  if (why === 'avoided') return from.why === 'avoided'
  return why !== 'probation_share' && why !== 'resting'
}
