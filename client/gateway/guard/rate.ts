/** Limits the requests of each caller with a token bucket. A full bucket has one token for each request of a minute. */
import type { MiddlewareHandler } from 'hono'

import { ApiError } from '../errors.ts'
import type { HttpEnvironment } from '../http/context.ts'
import { LONGEST_RETRY_MS } from '../limits.ts'

const MINUTE_MS = 60_000

/**
 * @param now monotonic time in milliseconds
 * @throws ApiError 429 with the time until the next request is allowed
 */
export function guardRate(perMinute: number, now: () => number): MiddlewareHandler<HttpEnvironment> {
  const msPerRequest = MINUTE_MS / perMinute
  // At most one entry for each configured key.
  const buckets = new Map<string, { left: number; at: number }>()
  return async (context, next) => {
    const caller = context.get('caller')
    const bucket = buckets.get(caller) ?? { left: perMinute, at: now() }
    const at = now()
    const left = Math.min(perMinute, bucket.left + (at - bucket.at) / msPerRequest)
    const allowed = left >= 1
    buckets.set(caller, { left: allowed ? left - 1 : left, at })
    if (!allowed) throw tooMany(perMinute, (1 - left) * msPerRequest)
    await next()
  }
}

function tooMany(perMinute: number, retryAfterMs: number): ApiError {
  return new ApiError(
    `The caller sent more than ${perMinute} requests per minute; wait, or raise --requests-per-minute.`,
    {
      status: 429,
      type: 'rate_limit_error',
      code: 'rate_limit_exceeded',
      retryAfterMs,
      shouldRetry: retryAfterMs < LONGEST_RETRY_MS
    }
  )
}
