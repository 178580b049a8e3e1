/** In which order nodes are asked. A pure function; chance comes from outside. */
import { CHOICE_SPREAD, TYPICAL_ANSWER_TOKENS } from '../constants.ts'
import type { Offer } from './offers.ts'

export interface Work {
  /** An estimate; only a node can count. */
  promptTokens: number
  maxTokens: number | undefined
  /** Milliseconds since the epoch. */
  now: number
}

/**
 * Best first, by predicted completion. Nodes within some percent of each other are shuffled by
 * `random`, or all clients at once would go to the same one. Nodes whose context is likely too
 * short come last.
 *
 * @param random uniform in [0, 1)
 */
export function order(offers: readonly Offer[], work: Work, random: () => number): Offer[] {
  return offers
    .map((offer) => ({
      offer,
      tight: offer.model.contextLength < work.promptTokens + (work.maxTokens ?? 0),
      time: predictCompletionMs(offer, work) * (1 + CHOICE_SPREAD * random())
    }))
    .sort((a, b) => Number(a.tight) - Number(b.tight) || a.time - b.time)
    .map(({ offer }) => offer)
}

/** Round trip, queue, prefill and decode, by what the card claims. A rate that was not measured counts as 1 token/s. */
export function predictCompletionMs({ sighting, model }: Offer, { promptTokens, maxTokens, now }: Work): number {
  const answerTokens = Math.min(maxTokens ?? TYPICAL_ANSWER_TOKENS, TYPICAL_ANSWER_TOKENS)
  const prefillSeconds = promptTokens / Math.max(1, model.prefillTokensPerSecond)
  const decodeSeconds = answerTokens / Math.max(1, model.decodeTokensPerSecond)
  // A wait that was told some time ago has passed in part.
  const waitMs = Math.max(0, sighting.load.estimatedWaitMs - Math.max(0, now - sighting.loadAt))
  return sighting.roundTripMs + waitMs + (prefillSeconds + decodeSeconds) * 1000
}
