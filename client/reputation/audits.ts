/** How much is audited. The rate falls with evidence; a budget bounds it whatever the network does. Pure. */
import type { ReputationParameters } from './parameters.ts'
import { standingOf } from './score.ts'
import type { PeerState } from './state.ts'

/**
 * The chance that a peer's next answer is audited: 1 for a probationary peer, then falling with the square of
 * what it generated, so that this part of a peer's whole life costs about twice its probation. Never
 * below the floor, which no length of good conduct buys off, nor below what the budget has left over
 * beyond its reserve for newcomers: what is not spent protects nobody.
 */
export function auditRate(state: PeerState, budget: AuditBudget, parameters: ReputationParameters): number {
  if (standingOf(state, parameters) !== 'established') return 1
  const { probationTokens, auditFloor, auditAllowanceTokens } = parameters
  const share = probationTokens / Math.max(1, state.generatedTokens)
  const leftOver = budget.tokens / Math.max(1, auditAllowanceTokens) - PROBATION_RESERVE
  return Math.min(1, Math.max(auditFloor, share * share, leftOver))
}

/** Part of the allowance that is kept for the next newcomers. */
const PROBATION_RESERVE = 0.3

/** What audits may still cost, in tokens of generation. */
export interface AuditBudget {
  tokens: number
  /** The part of `tokens` that checking others' accusations may use. */
  recheckTokens: number
  /** The part of that for accusations by sources of which nothing is known. */
  strangerTokens: number
}

/**
 * `audit`: an answer that was asked for anyway. `probe`: a request made for its audit.
 * `recheck`: somebody else's accusation, `recheck_stranger`: by a source that was never right before.
 */
export type AuditPurpose = 'audit' | 'probe' | 'recheck' | 'recheck_stranger'

export function freshAuditBudget(parameters: ReputationParameters): AuditBudget {
  return added({ tokens: 0, recheckTokens: 0, strangerTokens: 0 }, parameters.auditAllowanceTokens, parameters)
}

/** After an answer. The prompt's evaluation is left out: it costs little, and the budget stays on the safe side. */
export function earnAudits(
  budget: AuditBudget,
  completionTokens: number,
  parameters: ReputationParameters
): AuditBudget {
  return added(budget, completionTokens * parameters.auditBudget, parameters)
}

/** Cost of one audit, in tokens of generation. */
export function auditCost(tokens: number, { auditTokenCost }: ReputationParameters): number {
  return tokens * auditTokenCost
}

/** The budget after spending, or undefined if it does not reach. */
export function spendAudit(budget: AuditBudget, cost: number, purpose: AuditPurpose): AuditBudget | undefined {
  const recheck = purpose === 'recheck' || purpose === 'recheck_stranger' ? cost : 0
  const stranger = purpose === 'recheck_stranger' ? cost : 0
  const left = {
    tokens: budget.tokens - cost,
    recheckTokens: budget.recheckTokens - recheck,
    strangerTokens: budget.strangerTokens - stranger
  }
  return Math.min(left.tokens, left.recheckTokens, left.strangerTokens) < 0 ? undefined : left
}

function added(budget: AuditBudget, tokens: number, { recheckShare }: ReputationParameters): AuditBudget {
  return {
    tokens: budget.tokens + tokens,
    recheckTokens: budget.recheckTokens + tokens * recheckShare,
    strangerTokens: budget.strangerTokens + tokens * recheckShare ** 2
  }
}
