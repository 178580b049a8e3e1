/** Who may call: anybody, or whoever has one of the keys. */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'

import type { MiddlewareHandler } from 'hono'

import { ApiError } from '../errors.ts'
import type { Environment } from '../http/context.ts'

/**
 * Without keys every key is accepted: SDKs insist on sending one.
 *
 * @throws ApiError 401
 */
export function guardKey(keys: readonly string[]): MiddlewareHandler<Environment> {
  const known = keys.map(hash)
  return async (context, next) => {
    const given = keyOf(context.env.incoming.headers)
    const index = given === undefined ? -1 : indexOf(known, hash(given))
    if (known.length > 0 && index < 0) {
      throw new ApiError(
        given === undefined
          ? 'A key is needed: send it as `Authorization: Bearer …` or `X-Api-Key`.'
          : 'The key is not one of this gateway.',
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

/** Looks at all of them, so that the time tells nothing. */
function indexOf(known: readonly Buffer[], given: Buffer): number {
  return known.reduce((found, key, index) => (timingSafeEqual(key, given) ? index : found), -1)
}
