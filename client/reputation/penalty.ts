/** From an error's code to what it costs: the only place where a failure becomes a penalty. */
import type { ErrorCode } from '@potluck/protocol'

import type { ReputationParameters } from './parameters.ts'

export type Penalty = 'unreachable' | 'silent' | 'crashed' | 'stalled' | 'cut' | 'violation'

/**
 * The penalty for a failure; undefined where it is not the peer's: what the caller did, an honest
 * refusal, a mismatch of versions. A node must be able to say `busy` without a second thought, or
 * it would take work that it cannot do.
 */
export function penaltyOf(code: ErrorCode): Penalty | undefined {
  switch (code) {
    case 'busy':
    case 'draining':
    case 'model_not_found':
    case 'unsupported':
    case 'no_providers':
      return undefined
    case 'rate_limited':
    case 'context_length_exceeded':
    case 'invalid_request':
    case 'caller_stalled':
    case 'aborted':
      return undefined
    case 'dial_failed':
    case 'dial_timeout':
    case 'request_timeout':
      return 'unreachable'
    case 'admission_timeout':
    case 'first_token_timeout':
      return 'silent'
    case 'engine_failed':
      return 'crashed'
    case 'token_timeout':
      return 'stalled'
    case 'stream_cut':
      return 'cut'
    case 'protocol_violation':
      return 'violation'
  }
}

/** Whether a lost network of the client's own looks the same. What the peer itself sent cannot be that. */
export function mayBeOwnNetwork(penalty: Penalty): boolean {
  return penalty !== 'crashed' && penalty !== 'violation'
}

/** In failed answers. */
export function penaltyWeight(penalty: Penalty, parameters: ReputationParameters): number {
  return parameters[`${penalty}Penalty`]
}
