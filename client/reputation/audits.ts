/** How much is audited. The rate falls with evidence; a budget bounds it whatever the network does. Pure. */
import type { ReputationParameters } from './parameters.ts'
import { standingOf } from './score.ts'
import type { PeerState } from './state.ts'

/**
 * The chance that a peer's next answer is audited: 1 for a newcomer, then falling with the square of
 * what it generated, so that the audits of a peer's whole life cost about twice its probation, plus
 * the floor, which no length of good conduct buys off.
 */
export function auditRate(state: PeerState, parameters: ReputationParameters): number {
  if (standingOf(state, parameters) !== 'established') return 1
  const share = parameters.newcomerTokens / Math.max(1, state.generatedTokens)
  return Math.min(1, Math.max(parameters.auditFloor, share * share))
}

/** What audits may still cost, in tokens of generation. */
export interface AuditBudget {
  tokens: number
  /** The part of `tokens` that checking others' accusations may use. */
  recheckTokens: number
}

export function freshAuditBudget({ auditAllowanceTokens, recheckShare }: ReputationParameters): AuditBudget {
  return { tokens: auditAllowanceTokens, recheckTokens: auditAllowanceTokens * recheckShare }
}

/** After an answer. The prompt's evaluation is left out: it costs little, and the budget stays on the safe side. */
export function earnAudits(
  budget: AuditBudget,
  completionTokens: number,
  { auditBudget, recheckShare }: ReputationParameters
): AuditBudget {
  const earned = completionTokens * auditBudget
  return { tokens: budget.tokens + earned, recheckTokens: budget.recheckTokens + earned * recheckShare }
}

/** Cost of one audit, in tokens of generation. */
export function auditCost(tokens: number, { auditTokenCost }: ReputationParameters): number {
  return tokens * auditTokenCost
}

/** The budget after spending, or undefined if it does not reach. */
export function spendAudit(
  budget: AuditBudget,
  cost: number,
  purpose: 'audit' | 'probe' | 'recheck'
): AuditBudget | undefined {
  if (budget.tokens < cost || (purpose === 'recheck' && budget.recheckTokens < cost)) return undefined
  return { tokens: budget.tokens - cost, recheckTokens: budget.recheckTokens - (purpose === 'recheck' ? cost : 0) }
}
