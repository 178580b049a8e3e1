/** Errors in the form of OpenAI's API, with headers that tell SDKs whether and when to retry. */

export interface ApiErrorOptions {
  status: number
  type: 'invalid_request_error' | 'authentication_error' | 'permission_error' | 'rate_limit_error' | 'server_error'
  code: string | null
  /** The field that caused the error, such as `messages[0].content`. */
  param?: string | null
  /** Milliseconds from now until a retry can succeed. */
  retryAfterMs?: number
  /** Whether SDKs should retry automatically. Default false. */
  shouldRetry?: boolean
  cause?: unknown
}

/** The body of an error response, and the data of an error event in a stream. */
export interface ErrorBody {
  error: { message: string; type: string; param: string | null; code: string | null }
}

export class ApiError extends Error {
  override readonly name = 'ApiError'
  readonly status: number
  readonly code: string | null
  readonly #options: ApiErrorOptions

  constructor(message: string, options: ApiErrorOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.status = options.status
    this.code = options.code
    this.#options = options
  }

  get body(): ErrorBody {
    const { type, param = null, code } = this.#options
    return { error: { message: this.message, type, param, code } }
  }

  /** OpenAI's SDKs derive from the status whether to retry. `x-should-retry` overrides their decision. */
  get headers(): Record<string, string> {
    const { retryAfterMs, shouldRetry = false } = this.#options
    return {
      'x-should-retry': String(shouldRetry),
      ...(retryAfterMs === undefined
        ? {}
        : { 'retry-after': String(Math.ceil(retryAfterMs / 1000)), 'retry-after-ms': String(Math.ceil(retryAfterMs)) })
    }
  }
}

/** A 400 that names the field. */
export function invalid(param: string | null, message: string, code: string | null = null): ApiError {
  return new ApiError(message, { status: 400, type: 'invalid_request_error', code, param })
}

/** A 400 for a well-formed value that neither the gateway nor any node supports. */
export function unsupported(param: string, message: string): ApiError {
  return invalid(param, message, 'unsupported_parameter')
}
