/** What a failure of the network is over HTTP: one switch over the protocol's codes. */
import { PotluckError } from '@potluck/protocol'

import { ApiError, invalid } from './errors.ts'
import { DEFAULT_RETRY_MS, LONGEST_RETRY_MS } from './limits.ts'

/** Any error as the one that a caller gets; what is not foreseen says no more than that. */
export function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error
  if (error instanceof PotluckError) return ofNetwork(error)
  return new ApiError('The gateway failed; its log says why.', {
    status: 500,
    type: 'server_error',
    code: 'internal_error',
    cause: error
  })
}

function ofNetwork(cause: PotluckError): ApiError {
  const { code, message } = cause
  switch (code) {
    case 'busy':
    case 'rate_limited':
      return allBusy(cause)
    case 'context_length_exceeded':
      return invalid(
        'messages',
        `The prompt and the answer do not fit the model's context: shorten the prompt or lower the most tokens of the answer (${message}).`,
        code
      )
    case 'invalid_request':
      return invalid(null, sentence(message), 'invalid_value')
    case 'unsupported':
      return invalid(null, `No node can do what the request asks for (${message}).`, code)
    case 'model_not_found':
      return new ApiError(`No node serves the model any more (${message}).`, {
        status: 404,
        type: 'invalid_request_error',
        code,
        param: 'model',
        cause
      })
    // Nobody was reached: the next try looks for others.
    case 'no_providers':
    case 'draining':
    case 'dial_failed':
    case 'dial_timeout':
    case 'request_timeout':
      return new ApiError(`No node could be reached that serves this (${message}).`, {
        status: 503,
        type: 'server_error',
        code,
        retryAfterMs: DEFAULT_RETRY_MS,
        shouldRetry: true,
        cause
      })
    // Several nodes failed at this very prompt: to send it round again would take down more.
    case 'admission_timeout':
    case 'first_token_timeout':
    case 'token_timeout':
    case 'engine_failed':
    case 'stream_cut':
    case 'protocol_violation':
      return new ApiError(`The nodes that took the request failed (${message}).`, {
        status: 502,
        type: 'server_error',
        code,
        cause
      })
    case 'caller_stalled':
      return new ApiError('The answer was read too slowly.', {
        status: 408,
        type: 'invalid_request_error',
        code,
        cause
      })
    case 'aborted':
      return new ApiError('The gateway is stopping.', { status: 503, type: 'server_error', code, cause })
  }
}

function allBusy(cause: PotluckError): ApiError {
  const retryAfterMs = cause.retryAfterMs ?? DEFAULT_RETRY_MS
  return new ApiError(
    `Every node that serves this is busy; the soonest may take it in ${Math.ceil(retryAfterMs / 1000)} s.`,
    {
      status: 429,
      type: 'rate_limit_error',
      code: 'rate_limit_exceeded',
      retryAfterMs,
      shouldRetry: retryAfterMs < LONGEST_RETRY_MS,
      cause
    }
  )
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`
}
