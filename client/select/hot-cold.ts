/**
 * Prequal's rule (Wydrowski, Kleinberg, Rumble, Archer: "Load is Not What You Should Balance", NSDI
 * 2024): a node whose requests in flight lie in the upper quantile of what is seen now is hot; of
 * the cold ones the quickest is taken, and only if all are hot the one with fewest in flight. The
 * latency estimate may lag behind a sudden load; requests in flight do not.
 */
import { HOT_QUANTILE } from './constants.ts'
import type { Contender } from './contender.ts'
import { freshness } from './predict.ts'

/** Requests in flight for each slot: what the node told, as far as it still holds, and at least what this client knows to be there. */
export function inFlightPerSlot(contender: Contender, now: number): number {
  const { load, inFlight, sentSince } = contender
  const told = freshness(contender, now) * (load.active + load.queued) + sentSince
  return Math.max(told, inFlight) / Math.max(1, load.slots)
}

/**
 * The bound above which a node is hot. Never below one for each slot: a node with a free slot
 * makes nobody wait, however idle the others are.
 */
export function hotBound(contenders: readonly Contender[], now: number): number {
  const sorted = contenders.map((contender) => inFlightPerSlot(contender, now)).sort((a, b) => a - b)
  const quantile = sorted[Math.ceil(HOT_QUANTILE * sorted.length) - 1] ?? 0
  return Math.max(quantile, 1)
}
