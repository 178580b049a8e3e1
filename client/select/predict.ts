/** When an answer would be complete: round trip, queue, uncached prefill, decode. */
import { predict, type ReputationParameters } from '../reputation/index.ts'
import type { Contender, Request } from './contender.ts'

export interface Times {
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
  const ttftMs = roundTripMs + waitMs(contender, prefillMs + decodeMs, now) + prefillMs
  return { ttftMs, totalMs: ttftMs + decodeMs }
}

/**
 * The queue: what the node told, worn off by the time since, and what this client sent there
 * afterwards, which the node could not know yet.
 */
function waitMs({ load, loadAt, sentSince }: Contender, serviceMs: number, now: number): number {
  const told = Math.max(0, load.estimatedWaitMs - Math.max(0, now - loadAt))
  const slots = Math.max(1, load.slots)
  const free = Math.max(0, slots - load.active - load.queued)
  return told + (Math.max(0, sentSince + 1 - Math.max(free, told > 0 ? 1 : free)) * serviceMs) / slots
}
