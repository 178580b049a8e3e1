/** Errors in the form of Anthropic's API. */
import { ApiError } from '../errors.ts'

export type AnthropicErrorType =
  | 'invalid_request_error'
  | 'authentication_error'
  | 'permission_error'
  | 'not_found_error'
  | 'timeout_error'
  | 'rate_limit_error'
  | 'overloaded_error'
  | 'api_error'

/** The body of an error response, and the data of an error event in a stream. */
export interface AnthropicErrorBody {
  type: 'error'
  error: { type: AnthropicErrorType; message: string; details?: { error_code: string } }
  request_id: string
}

export function anthropicError({ status, message, code }: ApiError, requestId: string): AnthropicErrorBody {
  const details = code === NO_THREADS ? { details: { error_code: code } } : {}
  return { type: 'error', error: { type: typeOf(status), message, ...details }, request_id: requestId }
}

/** After an error with this code, SDKs send the whole conversation without a thread. */
const NO_THREADS = 'thread_unsupported_request'

/** The error for a request to continue a conversation that the server stores. */
export function noThreads(): ApiError {
  return new ApiError('The gateway stores no conversations: send all messages, without `thread`.', {
    status: 400,
    type: 'invalid_request_error',
    code: NO_THREADS,
    param: 'thread'
  })
}

function typeOf(status: number): AnthropicErrorType {
  switch (status) {
    case 401:
      return 'authentication_error'
    case 403:
      return 'permission_error'
    case 404:
      return 'not_found_error'
    case 408:
      return 'timeout_error'
    case 429:
      return 'rate_limit_error'
    // No node can take the request now, as with a service that has too much work.
    case 503:
      return 'overloaded_error'
    default:
      return status < 500 ? 'invalid_request_error' : 'api_error'
  }
}
