/** When an answer would be complete: round trip, queue, uncached prefill, decode. */
import { hiddenWaitMs, predict, usualWaitMs, type ReputationParameters } from '../reputation/index.ts'
import { LOAD_HALF_LIFE_MS } from './constants.ts'
import type { Contender, Request } from './contender.ts'

export interface Times {
  /** Of the time to the first token, the queue. */
  waitMs: number
  ttftMs: number
  totalMs: number
}

export function predictTimes(
  contender: Contender,
  { promptTokens, answerTokens }: Request,
  parameters: ReputationParameters,
  now: number
): Times {
  const { cachedTokens, claims, speed, roundTripMs } = contender
  const work = { promptTokens, cachedTokens: Math.min(cachedTokens, promptTokens), answerTokens }
  const { prefillMs, decodeMs } = predict(speed, work, claims, parameters, now)
  const waitMs = predictWaitMs(contender, prefillMs + decodeMs, now)
  const ttftMs = roundTripMs + waitMs + prefillMs
  return { waitMs, ttftMs, totalMs: ttftMs + decodeMs }
}

/** How much of a told load still holds, 0 to 1. */
export function freshness({ loadAt }: Pick<Contender, 'loadAt'>, now: number): number {
  return 2 ** (-Math.max(0, now - loadAt) / LOAD_HALF_LIFE_MS)
}

/**
 * The queue: what the node told, worn off by the time since towards what is usual there; what its
 * callers wait beyond that; and what this client sent afterwards, which the node could not know yet.
 */
function predictWaitMs(contender: Contender, serviceMs: number, now: number): number {
  const { load, sentSince, speed } = contender
  const fresh = freshness(contender, now)
  const slots = Math.max(1, load.slots)
  const free = Math.max(0, slots - load.active - load.queued)
  const own = (Math.max(0, sentSince - free) * serviceMs) / slots
  return fresh * load.estimatedWaitMs + (1 - fresh) * usualWaitMs(speed) + hiddenWaitMs(speed) + own
}
