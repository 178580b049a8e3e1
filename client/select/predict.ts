/** Predicts the times of an answer: round trip, queue, prefill of the tokens that are not cached, decode. Pure. */
import { hiddenWaitMs, predict, usualWaitMs, type ReputationParameters } from '../reputation/index.ts'
import type { Candidate, PredictedTimes, Workload } from './candidate.ts'
import { LOAD_HALF_LIFE_MS } from './constants.ts'

/** @param now milliseconds since the epoch */
export function predictTimes(
  candidate: Candidate,
  { promptTokens, answerTokens }: Pick<Workload, 'promptTokens' | 'answerTokens'>,
  parameters: ReputationParameters,
  now: number
): PredictedTimes {
  const { cachedTokens, model, speed, node } = candidate
  const work = { promptTokens, cachedTokens: Math.min(cachedTokens, promptTokens), answerTokens }
  const { prefillMs, decodeMs } = predict(speed, work, model, parameters, now)
  const waitMs = predictWaitMs(candidate, prefillMs + decodeMs, now)
  const ttftMs = node.roundTripMs + waitMs + prefillMs
  return { waitMs, ttftMs, totalMs: ttftMs + decodeMs }
}

/** The weight of a reported load, 0 to 1. It halves every `LOAD_HALF_LIFE_MS`. */
export function freshness({ node }: Pick<Candidate, 'node'>, now: number): number {
  return 2 ** (-Math.max(0, now - node.loadAt) / LOAD_HALF_LIFE_MS)
}

/**
 * Predicts the wait in the queue, as a sum of three:
 *
 * - the wait that the node reported. As the report ages, the usual wait at this node replaces it
 * - how much longer than reported this client usually waits there
 * - the requests that this client sent after the report
 */
function predictWaitMs(candidate: Candidate, serviceMs: number, now: number): number {
  const { node, sentSince, speed } = candidate
  const { load } = node
  const fresh = freshness(candidate, now)
  const slots = Math.max(1, load.slots)
  const free = Math.max(0, slots - load.active - load.queued)
  const own = (Math.max(0, sentSince - free) * serviceMs) / slots
  return fresh * load.estimatedWaitMs + (1 - fresh) * usualWaitMs(speed) + hiddenWaitMs(speed) + own
}
