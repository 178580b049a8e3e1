/**
 * Hedging before the first token: when a first token is late beyond what is usual, the same request
 * goes to a second node, and the first that answers wins. Pure state; the caller holds it.
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
  /** The bucket: hedges that may be sent now. */
  tokens: number
  /** First tokens that were waited for. */
  samples: number
  /** Natural logarithm of an upper quantile of their waits over the predictions. */
  logLate: number
}

export const FRESH_HEDGING: Hedging = { tokens: 0, samples: 0, logLate: 0 }

/** For every request that is sent first. */
export function earnHedge(hedging: Hedging): Hedging {
  return { ...hedging, tokens: Math.min(HEDGE_BURST, hedging.tokens + HEDGE_SHARE) }
}

/** The state after a hedge, or undefined if none is to be had. */
export function spendHedge(hedging: Hedging): Hedging | undefined {
  return hedging.tokens < 1 ? undefined : { ...hedging, tokens: hedging.tokens - 1 }
}

/**
 * A first token came. The quantile is followed by stochastic approximation (Robbins and Monro, 1951):
 * up by q steps for a wait above it, down by 1 - q for one below.
 */
export function noteFirstToken(hedging: Hedging, actualMs: number, predictedMs: number): Hedging {
  const late = Math.log(Math.max(1, actualMs) / Math.max(1, predictedMs)) > hedging.logLate
  const step = HEDGE_STEP * (late ? HEDGE_QUANTILE : HEDGE_QUANTILE - 1)
  return { ...hedging, samples: hedging.samples + 1, logLate: hedging.logLate + step }
}

/** After how long a request without a first token is hedged; Infinity while too little is known. */
export function hedgeAfterMs({ samples, logLate }: Hedging, predictedMs: number): number {
  if (samples < HEDGE_LEAST_SAMPLES) return Infinity
  return Math.max(HEDGE_LEAST_MS, predictedMs * Math.exp(logLate))
}
