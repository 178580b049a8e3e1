/**
 * Prequal's rule (Wydrowski, Kleinberg, Rumble, Archer: "Load is Not What You Should Balance", NSDI 2024). A node is
 * hot if its requests in flight lie in the upper quantile of all candidates. The fastest cold node is chosen; if all
 * are hot, the one with the fewest requests in flight. A latency estimate lags behind a sudden load, but the number of
 * requests in flight does not.
 */
import type { Candidate } from './candidate.ts'
import { HOT_QUANTILE } from './constants.ts'
import { freshness } from './predict.ts'

/** Requests in flight per slot: the reported load as far as it still holds, but at least this client's own requests. */
export function inFlightPerSlot(candidate: Candidate, now: number): number {
  const { node, inFlight, sentSince } = candidate
  const reported = freshness(candidate, now) * (node.load.active + node.load.queued) + sentSince
  return Math.max(reported, inFlight) / Math.max(1, node.load.slots)
}

/** Above this bound a node is hot. It is at least 1 per slot: a node with a free slot makes no request wait. */
export function hotBound(candidates: readonly Candidate[], now: number): number {
  const sorted = candidates.map((candidate) => inFlightPerSlot(candidate, now)).sort((a, b) => a - b)
  const quantile = sorted[Math.ceil(HOT_QUANTILE * sorted.length) - 1] ?? 0
  return Math.max(quantile, 1)
}
