/** (state, parameters, now) -> score. Pure. */
import type { ReputationParameters } from './parameters.ts'
import { betaMean, reliabilityBeta, type Beta } from './reliability.ts'
import { auditedTokens, type PeerState } from './state.ts'

/**
 * `probationary`: few tokens of the peer are audited, so all such peers share a small part of the requests.
 * `established`: enough tokens are audited. `quarantined`: the audits speak against the peer, so it gets
 * only probes. `banned`: the key never gets a request again.
 */
export type Standing = 'probationary' | 'established' | 'quarantined' | 'banned'

export interface Score {
  standing: Standing
  /**
   * Natural logarithm of the evidence against the integrity of the peer. Selection never weighs it against speed
   * or reliability.
   */
  logEvidence: number
  auditedTokens: number
  /** Embeddings that agreed with those of other nodes, since the last one that did not. */
  checks: number
  /** The chance that the next answer is complete, as a distribution and as its mean. */
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
    checks: state.counts.checked?.count ?? 0,
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
