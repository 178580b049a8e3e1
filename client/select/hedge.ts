/**
 * Hedging before the first token: if the first token is later than usual, the same request goes to a second node, and
 * the first answer wins. Pure functions; the caller holds the state.
 */
import {
  HEDGE_BURST,
  HEDGE_LEAST_MS,
  HEDGE_LEAST_SAMPLES,
  HEDGE_QUANTILE,
  HEDGE_SHARE,
  HEDGE_STEP
} from './constants.ts'

export interface Hedging {
  /** A token bucket: the hedges that can be sent now. */
  tokens: number
  /** First tokens that were observed. */
  samples: number
  /** Natural logarithm of an upper quantile of the ratio of their waits to the predictions. */
  logLate: number
}

export const FRESH_HEDGING: Hedging = { tokens: 0, samples: 0, logLate: 0 }

/** The state after a request's first attempt, which earns a share of a hedge. */
export function earnHedge(hedging: Hedging): Hedging {
  return { ...hedging, tokens: Math.min(HEDGE_BURST, hedging.tokens + HEDGE_SHARE) }
}

/** The state after a hedge. Undefined if the budget has none. */
export function spendHedge(hedging: Hedging): Hedging | undefined {
  return hedging.tokens < 1 ? undefined : { ...hedging, tokens: hedging.tokens - 1 }
}

/**
 * The state after a first token. The quantile q follows by stochastic approximation (Robbins and Monro, 1951): up by q
 * steps for a wait above it, down by 1 - q for a wait below it.
 */
export function noteFirstToken(hedging: Hedging, actualMs: number, predictedMs: number): Hedging {
  const late = Math.log(Math.max(1, actualMs) / Math.max(1, predictedMs)) > hedging.logLate
  const step = HEDGE_STEP * (late ? HEDGE_QUANTILE : HEDGE_QUANTILE - 1)
  return { ...hedging, samples: hedging.samples + 1, logLate: hedging.logLate + step }
}

/** After how many milliseconds a request without a first token is hedged. Infinity while too little is known. */
export function hedgeAfterMs({ samples, logLate }: Hedging, predictedMs: number): number {
  if (samples < HEDGE_LEAST_SAMPLES) return Infinity
  return Math.max(HEDGE_LEAST_MS, predictedMs * Math.exp(logLate))
}
