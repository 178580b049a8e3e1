/**
 * Hedging before the first token: when a first token is late beyond what is usual, the same request
 * goes to a second node, and the first that answers wins. Pure state; the caller holds it.
 */
import {
  HEDGE_BURST,
  HEDGE_LEAST_MS,
  HEDGE_LEAST_SAMPLES,
  HEDGE_QUANTILE,
  HEDGE_SAMPLES,
  HEDGE_SHARE
} from './constants.ts'

export interface Hedging {
  /** The bucket: hedges that may be sent now. */
  tokens: number
  /** Waits for first tokens over their predictions, newest last. */
  lateness: readonly number[]
}

export const FRESH_HEDGING: Hedging = { tokens: 0, lateness: [] }

/** For every request that is sent first. */
export function earnHedge(hedging: Hedging): Hedging {
  return { ...hedging, tokens: Math.min(HEDGE_BURST, hedging.tokens + HEDGE_SHARE) }
}

/** The state after a hedge, or undefined if none is to be had. */
export function spendHedge(hedging: Hedging): Hedging | undefined {
  return hedging.tokens < 1 ? undefined : { ...hedging, tokens: hedging.tokens - 1 }
}

/** A first token came. */
export function noteFirstToken(hedging: Hedging, actualMs: number, predictedMs: number): Hedging {
  const lateness = [...hedging.lateness, actualMs / Math.max(1, predictedMs)].slice(-HEDGE_SAMPLES)
  return { ...hedging, lateness }
}

/** After how long a request without a first token is hedged; Infinity while too little is known. */
export function hedgeAfterMs({ lateness }: Hedging, predictedMs: number): number {
  if (lateness.length < HEDGE_LEAST_SAMPLES) return Infinity
  const sorted = [...lateness].sort((a, b) => a - b)
  const late = sorted[Math.ceil(HEDGE_QUANTILE * sorted.length) - 1] ?? 1
  return Math.max(HEDGE_LEAST_MS, predictedMs * late)
}
