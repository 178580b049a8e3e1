/** What failures cost a node's reputation, from the policy table in `protocol/errors.ts`. */
import { ERROR_POLICY, type ErrorCode, type Penalty } from '@potluck/protocol'

import type { ReputationParameters } from './parameters.ts'

/** Returns the penalty for a failure; undefined if the node is not at fault. */
export function penaltyOf(code: ErrorCode): Penalty | undefined {
  return ERROR_POLICY[code].penalty
}

/** Returns the weight of a penalty, in failed answers. */
export function penaltyWeight(penalty: Penalty, parameters: ReputationParameters): number {
  return parameters[`${penalty}Penalty`]
}

/** Whether failures with this penalty wait for a sign of life before they count: see `blame.ts`. */
export function isHeldBack(penalty: Penalty): boolean {
  return Object.values(ERROR_POLICY).some((policy) => policy.penalty === penalty && policy.doubtful === true)
}
