/** (state, parameters, now) -> score. Pure. A gate first, then what selection may trade off. */
import type { ReputationParameters } from './parameters.ts'
import { betaMean, reliabilityBeta, type Beta } from './reliability.ts'
import { auditedTokens, type PeerState } from './state.ts'

/**
 * `probationary`: little is known, a bounded share of requests. `quarantined`: audits speak against it, probes only.
 * `banned`: never again, with this key.
 */
export type Standing = 'probationary' | 'established' | 'quarantined' | 'banned'

export interface Score {
  standing: Standing
  /** Natural logarithm of the evidence against its integrity. Never mixed with the rest. */
  logEvidence: number
  auditedTokens: number
  /** The chance that the next answer is complete: to draw from, and its mean. */
  reliability: Beta
  reliabilityMean: number
}

/** @param now milliseconds since the epoch */
export function score(state: PeerState, parameters: ReputationParameters, now: number): Score {
  const reliability = reliabilityBeta(state.reliability, parameters, now)
  return {
    standing: standingOf(state, parameters),
    logEvidence: state.integrity.logEvidence,
    auditedTokens: auditedTokens(state),
    reliability,
    reliabilityMean: betaMean(reliability)
  }
}

export function standingOf(state: PeerState, { probationTokens }: ReputationParameters): Standing {
  const { integrity } = state
  if (integrity.banned !== undefined) return 'banned'
  if (integrity.quarantinedAt !== undefined) return 'quarantined'
  return auditedTokens(state) >= probationTokens ? 'established' : 'probationary'
}
