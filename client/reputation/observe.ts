/** The effect of an observation: (state, observation, now) -> state. Pure. The same object if nothing changes. */
import { ERROR_POLICY } from '@potluck/protocol'

import { NO_AUDITS } from './auditors.ts'
import type { Observation } from './observation.ts'
import { currentFindings, withFinding } from './others.ts'
import type { ReputationParameters } from './parameters.ts'
import { addOutcome } from './reliability.ts'
import { addLateness, addTimes } from './speed.ts'
import type { Cause, Ban, Integrity, PeerState } from './state.ts'

/** @param now milliseconds since the epoch */
export function observe(
  state: PeerState,
  observation: Observation,
  parameters: ReputationParameters,
  now: number
): PeerState {
  const withOutcome = (complete: number, failed: number): PeerState => {
    return { ...state, reliability: addOutcome(state.reliability, { complete, failed }, parameters, now) }
  }
  switch (observation.type) {
    case 'complete': {
      const speed = addTimes(state.speed, observation, parameters, now)
      const generatedTokens = state.generatedTokens + observation.completionTokens
      return counted({ ...withOutcome(1, 0), speed, generatedTokens }, 'complete', now)
    }
    case 'served': {
      const { work, times } = observation
      // An audit that the node makes for this client does not raise its reliability. Otherwise a node that cuts its
      // answers could look reliable.
      if (work === 'audit') return counted(state, 'served', now)
      const speed = times === undefined ? state.speed : addTimes(state.speed, times, parameters, now)
      return counted({ ...withOutcome(1, 0), speed }, 'served', now)
    }
    case 'checked': {
      if (observation.agreed) return counted(state, 'checked', now)
      // Its probation begins again. The reply counted as a success when it arrived, but it was a violation.
      const { checked: _, ...counts } = state.counts
      return counted({ ...withOutcome(-1, parameters.violationPenalty), counts }, 'violation', now)
    }
    case 'late': {
      const speed = addLateness(state.speed, observation, parameters, now)
      if (observation.overdue) {
        return counted({ ...withOutcome(0, parameters.overduePenalty), speed }, 'overdue', now)
      }
      return speed === state.speed ? state : counted({ ...state, speed }, 'late', now)
    }
    case 'failed': {
      const { penalty } = ERROR_POLICY[observation.code]
      if (penalty === undefined) return state
      return counted(withOutcome(0, parameters[`${penalty}Penalty`]), penalty, now)
    }
    case 'contradicted':
      return counted(withOutcome(0, parameters.contradictedPenalty), 'contradicted', now)
    case 'audit': {
      const { by, evidence, logEvidence } = observation
      const others = currentFindings(state.integrity.others, parameters, now)
      const integrity =
        by === 'own'
          ? withLimits({ ...state.integrity, evidence, logEvidence }, parameters, now)
          : { ...state.integrity, others: { ...others, [by]: withFinding(others[by], observation, parameters, now) } }
      return counted({ ...state, integrity }, 'audit', now)
    }
    case 'compared': {
      const { agreed, dissented, refuted } = state.auditor ?? NO_AUDITS
      switch (observation.outcome) {
        case 'agreed':
          return { ...state, auditor: { agreed: agreed + 1, dissented, refuted } }
        case 'dissented':
          return { ...state, auditor: { agreed, dissented: dissented + 1, refuted } }
        case 'refuted': {
          const auditor = { agreed, dissented: dissented + 1, refuted: true }
          return counted({ ...withOutcome(0, parameters.violationPenalty), auditor }, 'violation', now)
        }
      }
    }
    case 'proven': {
      // The proof is not added to the evidence of this client's own audits, because both can contain the same answers.
      if (observation.logEvidence < Math.log(parameters.banEvidence)) return state
      const ban: Ban = { at: now, logEvidence: observation.logEvidence, by: 'proof' }
      return { ...state, integrity: { ...state.integrity, banned: state.integrity.banned ?? ban } }
    }
    case 'incomparable':
      return state
  }
}

/** Quarantines, bans or releases the peer, by the limits of the evidence. */
function withLimits(integrity: Integrity, parameters: ReputationParameters, now: number): Integrity {
  const { logEvidence, banned, quarantinedAt } = integrity
  if (banned === undefined && logEvidence >= Math.log(parameters.banEvidence)) {
    return { ...integrity, quarantinedAt: quarantinedAt ?? now, banned: { at: now, logEvidence, by: 'audit' } }
  }
  if (logEvidence >= Math.log(parameters.quarantineEvidence)) {
    return { ...integrity, quarantinedAt: quarantinedAt ?? now }
  }
  if (quarantinedAt !== undefined && logEvidence < Math.log(parameters.releaseEvidence)) {
    return { ...integrity, quarantinedAt: undefined }
  }
  return integrity
}

function counted(state: PeerState, cause: Cause, now: number): PeerState {
  const count = (state.counts[cause]?.count ?? 0) + 1
  return { ...state, counts: { ...state.counts, [cause]: { count, last: now } } }
}
