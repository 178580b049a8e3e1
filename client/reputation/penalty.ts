/** What failures cost a node's reputation, from the policy table in `protocol/errors.ts`. */
import { ERROR_POLICY, type ErrorCode, type Penalty } from '@potluck/protocol'

import type { ReputationParameters } from './parameters.ts'

/** The penalty for a failure; undefined where the node is not at fault. */
export function penaltyOf(code: ErrorCode): Penalty | undefined {
  return ERROR_POLICY[code].penalty
}

/** What a penalty counts for, in failed answers. */
export function penaltyWeight(penalty: Penalty, parameters: ReputationParameters): number {
  return parameters[`${penalty}Penalty`]
}

/** Whether failures with this penalty wait for a sign of life before they count: see `blame.ts`. */
export function isHeldBack(penalty: Penalty): boolean {
  return Object.values(ERROR_POLICY).some((policy) => policy.penalty === penalty && policy.doubtful === true)
}
