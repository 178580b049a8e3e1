/**
 * Hedging before the first token: if the first token is later than usual, the same request goes to a second node, and
 * the first answer wins. Pure functions; the caller holds the state.
 */
import {
  HEDGE_BURST,
  HEDGE_FIRST_BUDGET,
  HEDGE_FIRST_FACTOR,
  HEDGE_FIRST_LEAST_MS,
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
  /** Natural logarithm of the estimated `HEDGE_QUANTILE` of the ratio of a wait to its prediction. */
  logLate: number
}

export const FRESH_HEDGING: Hedging = { tokens: HEDGE_FIRST_BUDGET, samples: 0, logLate: 0 }

/** Returns the state after an attempt that is not a hedge. Each adds `HEDGE_SHARE` of a hedge to the budget. */
export function earnHedge(hedging: Hedging): Hedging {
  return { ...hedging, tokens: Math.min(HEDGE_BURST, hedging.tokens + HEDGE_SHARE) }
}

/** Returns the state after a hedge. Undefined if the budget is below one hedge. */
export function spendHedge(hedging: Hedging): Hedging | undefined {
  return hedging.tokens < 1 ? undefined : { ...hedging, tokens: hedging.tokens - 1 }
}

/**
 * Returns the state after a first token. Stochastic approximation (Robbins and Monro, 1951) estimates the quantile: a
 * wait above the estimate raises it by q steps, and a wait below lowers it by 1 - q steps, with q = `HEDGE_QUANTILE`.
 */
export function noteFirstToken(hedging: Hedging, actualMs: number, predictedMs: number): Hedging {
  const late = Math.log(Math.max(1, actualMs) / Math.max(1, predictedMs)) > hedging.logLate
  const step = HEDGE_STEP * (late ? HEDGE_QUANTILE : HEDGE_QUANTILE - 1)
  return { ...hedging, samples: hedging.samples + 1, logLate: hedging.logLate + step }
}

/** Returns after how many milliseconds without a first token a hedge is sent. */
export function hedgeAfterMs({ samples, logLate }: Hedging, predictedMs: number): number {
  if (samples < HEDGE_LEAST_SAMPLES) {
    return Math.max(HEDGE_FIRST_LEAST_MS, predictedMs * HEDGE_FIRST_FACTOR)
  }
  return Math.max(HEDGE_LEAST_MS, predictedMs * Math.exp(logLate))
}
