/** Converts the protocol's errors to HTTP errors. The HTTP status of each error code is in `ERROR_POLICY`. */
import { ERROR_POLICY, PotluckError } from '@potluck/protocol'

import { ApiError, invalid } from './errors.ts'
import { DEFAULT_RETRY_MS, LONGEST_RETRY_MS } from './limits.ts'
import { sentence } from './sentence.ts'

/** The error that the HTTP caller gets. The text of an unexpected error stays in the gateway's log. */
export function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error
  if (error instanceof PotluckError) return ofNetwork(error)
  return new ApiError('The gateway failed. Its log contains the reason.', {
    status: 500,
    type: 'server_error',
    code: 'internal_error',
    cause: error
  })
}

function ofNetwork(cause: PotluckError): ApiError {
  const { code, message } = cause
  const status = ERROR_POLICY[code].httpStatus
  switch (status) {
    case 400:
      return badRequest(cause)
    case 404:
      return new ApiError(`No node serves the model now (${message}).`, {
        status,
        type: 'invalid_request_error',
        code,
        param: 'model',
        cause
      })
    case 408:
      return new ApiError('The caller read the answer too slowly.', {
        status,
        type: 'invalid_request_error',
        code,
        cause
      })
    case 429:
      return allBusy(cause)
    // Several nodes failed on this prompt. A retry could crash more of them.
    case 502:
      return new ApiError(`Every node that was asked failed (${message}).`, {
        status,
        type: 'server_error',
        code,
        cause
      })
    case 503:
      if (code === 'aborted')
        return new ApiError('The gateway is stopping.', { status, type: 'server_error', code, cause })
      // The client reached no node. A retry searches for other nodes.
      return new ApiError(`The gateway reached no node for this request (${message}).`, {
        status,
        type: 'server_error',
        code,
        retryAfterMs: DEFAULT_RETRY_MS,
        shouldRetry: true,
        cause
      })
  }
}

function badRequest({ code, message }: PotluckError): ApiError {
  if (code === 'context_length_exceeded') {
    return invalid(
      'messages',
      // Clients such as LiteLLM recognise this error by the words "maximum context length is".
      `This model's maximum context length is less than the prompt and the answer need: shorten the prompt, or ask for fewer tokens (${message}).`,
      code
    )
  }
  if (code === 'unsupported') return invalid(null, `No node supports this request (${message}).`, code)
  return invalid(null, sentence(message), 'invalid_value')
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
