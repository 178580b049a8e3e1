/** Maps each error code of the protocol to an HTTP error, in one switch. */
import { PotluckError } from '@potluck/protocol'

import { ApiError, invalid } from './errors.ts'
import { DEFAULT_RETRY_MS, LONGEST_RETRY_MS } from './limits.ts'

/** The error that the HTTP caller gets. The text of an unexpected error stays in the gateway's log. */
export function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error
  if (error instanceof PotluckError) return ofNetwork(error)
  return new ApiError('The gateway failed. Its log has the reason.', {
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
        `The prompt and the answer do not fit the model's context: shorten the prompt, or ask for fewer tokens (${message}).`,
        code
      )
    case 'invalid_request':
      return invalid(null, sentence(message), 'invalid_value')
    case 'unsupported':
      return invalid(null, `No node supports this request (${message}).`, code)
    case 'model_not_found':
      return new ApiError(`No node serves the model now (${message}).`, {
        status: 404,
        type: 'invalid_request_error',
        code,
        param: 'model',
        cause
      })
    // No node was reached. A retry searches for other nodes.
    case 'no_providers':
    case 'draining':
    case 'dial_failed':
    case 'dial_timeout':
    case 'request_timeout':
      return new ApiError(`The gateway reached no node that serves this request (${message}).`, {
        status: 503,
        type: 'server_error',
        code,
        retryAfterMs: DEFAULT_RETRY_MS,
        shouldRetry: true,
        cause
      })
    // Several nodes failed on this prompt. A retry could crash more of them.
    case 'admission_timeout':
    case 'first_token_timeout':
    case 'token_timeout':
    case 'engine_failed':
    case 'stream_cut':
    case 'protocol_violation':
      return new ApiError(`Every node that accepted the request failed (${message}).`, {
        status: 502,
        type: 'server_error',
        code,
        cause
      })
    case 'caller_stalled':
      return new ApiError('The caller read the answer too slowly.', {
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
  return new ApiError(`Every node that serves this model is busy. Retry in ${Math.ceil(retryAfterMs / 1000)} s.`, {
    status: 429,
    type: 'rate_limit_error',
    code: 'rate_limit_exceeded',
    retryAfterMs,
    shouldRetry: retryAfterMs < LONGEST_RETRY_MS,
    cause
  })
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`
}
