/** Endpoints that only the owner of this machine may use. */
import { isIPv4 } from 'node:net'

import type { MiddlewareHandler } from 'hono'

import { ApiError } from '../errors.ts'
import type { HttpEnvironment } from '../http/context.ts'

/**
 * Refuses callers on other machines: their keys are for answers, not for the node.
 *
 * @throws ApiError 403
 */
export function guardOwner(): MiddlewareHandler<HttpEnvironment> {
  return async ({ env: { incoming } }, next) => {
    const address = (incoming.socket.remoteAddress ?? '').replace(/^::ffff:/, '')
    if (address !== '::1' && !(isIPv4(address) && address.startsWith('127.'))) {
      throw refused('Only programs on the machine of the gateway may see and pause its node.', 'owner_only')
    }
    await next()
  }
}

/**
 * Refuses changes from web pages of other origins, also from those that `--allow-origin` allows for requests.
 *
 * @throws ApiError 403
 */
export function guardSameOrigin(): MiddlewareHandler<HttpEnvironment> {
  return async ({ req, env: { incoming } }, next) => {
    const { host, origin } = incoming.headers
    const changes = req.method !== 'GET' && req.method !== 'HEAD'
    if (changes && origin !== undefined && hostOf(origin) !== host) {
      throw refused('Only the page of this gateway may do this.', 'origin_not_allowed')
    }
    await next()
  }
}

/** Undefined for the origin `null` of a page without one. */
function hostOf(origin: string): string | undefined {
  return URL.parse(origin)?.host
}

function refused(message: string, code: string): ApiError {
  return new ApiError(message, { status: 403, type: 'permission_error', code })
}
