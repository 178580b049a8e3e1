/** Checks the API key, and identifies the caller by the key. */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'

import type { MiddlewareHandler } from 'hono'

import { ApiError } from '../errors.ts'
import type { HttpEnvironment } from '../http/context.ts'

/**
 * If no key is set, the gateway accepts every key, because SDKs always send one.
 *
 * @throws ApiError 401
 */
export function guardKey(keys: readonly string[]): MiddlewareHandler<HttpEnvironment> {
  const known = keys.map(hash)
  return async (context, next) => {
    const given = keyOf(context.env.incoming.headers)
    const index = given === undefined ? -1 : indexOf(known, hash(given))
    if (known.length > 0 && index < 0) {
      throw new ApiError(
        given === undefined
          ? 'The API key is missing: send it as `Authorization: Bearer …` or `X-Api-Key`.'
          : 'The gateway does not know this API key.',
        { status: 401, type: 'authentication_error', code: 'invalid_api_key' }
      )
    }
    context.set('caller', String(index))
    await next()
  }
}

function keyOf(headers: IncomingHttpHeaders): string | undefined {
  const [, bearer] = /^Bearer\s+(\S+)$/i.exec(headers.authorization ?? '') ?? []
  const other = headers['x-api-key']
  return bearer ?? (typeof other === 'string' ? other : undefined)
}

function hash(key: string): Buffer {
  return createHash('sha256').update(key).digest()
}

/** Compares with every key, so that the duration reveals nothing about the keys. */
function indexOf(known: readonly Buffer[], given: Buffer): number {
  return known.reduce((found, key, index) => (timingSafeEqual(key, given) ? index : found), -1)
}
