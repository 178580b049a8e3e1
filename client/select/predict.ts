/** Predicts the load of a node, and the times of an answer: round trip, queue, prefill without cache, decode. Pure. */
import { predict, type ReputationParameters } from '../reputation/index.ts'
import type { Candidate, PredictedTimes, Workload } from './candidate.ts'
import { HOT_QUANTILE, LOAD_HALF_LIFE_MS } from './constants.ts'

/** @param now milliseconds since the epoch */
export function predictTimes(
  candidate: Candidate,
  { promptTokens, answerTokens }: Pick<Workload, 'promptTokens' | 'answerTokens'>,
  parameters: ReputationParameters,
  now: number
): PredictedTimes {
  const { cachedTokens, claims, speed, node } = candidate
  const work = { promptTokens, cachedTokens: Math.min(cachedTokens, promptTokens), answerTokens }
  const { prefillMs, decodeMs, prefillTokensPerSecond } = predict(speed, work, claims, parameters, now)
  const waitMs = predictWaitMs(candidate, prefillMs + decodeMs, now)
  const ttftMs = node.roundTripMs + waitMs + prefillMs
  return { waitMs, ttftMs, totalMs: ttftMs + decodeMs, prefillTokensPerSecond }
}

/**
 * Predicts the wait in the queue, as a sum of three:
 *
 * - the wait that the node reported, for a slot and for the model. As the report ages, the usual wait at this node
 *   replaces it
 * - how much longer than reported this client usually waits there
 * - the requests that this client sent after the report
 */
function predictWaitMs(candidate: Candidate, serviceMs: number, now: number): number {
  const { sentSince, speed } = candidate
  const { active, queued, slots, estimatedWaitMs } = candidate.node.load
  const fresh = freshness(candidate, now)
  // The node reported the wait of the next request. If there are several free slots, that request takes one, and later
  // requests take the others without a wait. Only when all slots are taken, requests wait for one another.
  const others = Math.max(0, slots - active - queued - 1)
  const own = (Math.max(0, sentSince - others) * serviceMs) / Math.max(1, slots)
  const reported = estimatedWaitMs + modelWaitOf(candidate)
  return fresh * reported + (1 - fresh) * (speed.wait?.mean ?? 0) + (speed.hidden?.mean ?? 0) + own
}

/** The wait until the model is in the memory of its node, as the node reported it. */
function modelWaitOf({ node: { card, load }, model }: Candidate): number {
  return load.modelWaitMs?.[card.models.indexOf(model)] ?? 0
}

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
 * Returns the bound above which a node is hot: it has more requests in flight per slot than most candidates
 * (`HOT_QUANTILE`). The client chooses the fastest node that is not hot. If all nodes are hot, it chooses the node with
 * the fewest requests in flight. A latency estimate lags behind a sudden load, but the number of requests in flight
 * does not. (Prequal's rule: Wydrowski, Kleinberg, Rumble, Archer, "Load is Not What You Should Balance", NSDI 2024.)
 * The bound is at least 1 per slot: a node with fewer requests than slots is not busy, because a new request gets a
 * free slot at once.
 */
export function hotBound(candidates: readonly Candidate[], now: number): number {
  const sorted = candidates.map((candidate) => inFlightPerSlot(candidate, now)).sort((a, b) => a - b)
  const quantile = sorted[Math.ceil(HOT_QUANTILE * sorted.length) - 1] ?? 0
  return Math.max(quantile, 1)
}

/** The weight of a reported load, 0 to 1. It halves every `LOAD_HALF_LIFE_MS`. */
function freshness({ node }: Candidate, now: number): number {
  return 2 ** (-Math.max(0, now - node.loadAt) / LOAD_HALF_LIFE_MS)
}
