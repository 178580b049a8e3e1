/**
 * Prequal's rule (Wydrowski, Kleinberg, Rumble, Archer: "Load is Not What You Should Balance", NSDI 2024). A node is
 * hot if it has more requests in flight than most candidates (`HOT_QUANTILE`). The client chooses the fastest cold
 * node. If all nodes are hot, it chooses the node with the fewest requests in flight. A latency estimate lags behind a
 * sudden load, but the number of requests in flight does not.
 */
import type { Candidate } from './candidate.ts'
import { HOT_QUANTILE } from './constants.ts'
import { freshness } from './predict.ts'

/**
 * Returns the requests in flight per slot: the reported load, which counts less the older the report is, plus what this
 * client sent since. At least this client's own requests.
 */
export function inFlightPerSlot(candidate: Candidate, now: number): number {
  const { node, inFlight, sentSince } = candidate
  const reported = freshness(candidate, now) * (node.load.active + node.load.queued) + sentSince
  return Math.max(reported, inFlight) / Math.max(1, node.load.slots)
}

/**
 * Returns the bound above which a node is hot. At least 1 per slot, because a request does not wait for a free slot.
 */
export function hotBound(candidates: readonly Candidate[], now: number): number {
  const sorted = candidates.map((candidate) => inFlightPerSlot(candidate, now)).sort((a, b) => a - b)
  const quantile = sorted[Math.ceil(HOT_QUANTILE * sorted.length) - 1] ?? 0
  return Math.max(quantile, 1)
}
