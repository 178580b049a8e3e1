/**
 * Keeps web pages out. A browser lets any page send requests to this machine: a foreign one shows in `Origin`
 * or in `Sec-Fetch-Site`, and one whose name was rebound to our address (DNS rebinding) shows in `Host`.
 */
import { isIP } from 'node:net'

import type { MiddlewareHandler } from 'hono'

import { ApiError } from '../errors.ts'
import type { Environment } from '../http/context.ts'

export interface HostRules {
  /** Names, beside `localhost`, under which the gateway may be called. */
  hosts: readonly string[]
  /** Origins of web pages that may call it, as `https://app.example`. */
  origins: readonly string[]
}

/** @throws ApiError 403 */
export function guardHost({ hosts, origins }: HostRules): MiddlewareHandler<Environment> {
  const names = new Set(['localhost', ...hosts].map((name) => name.toLowerCase()))
  return async ({ env: { incoming } }, next) => {
    const { host = '', origin, 'sec-fetch-site': site } = incoming.headers
    // An address cannot be rebound; a name can.
    const name = nameOf(host)
    if (!names.has(name) && isIP(name) === 0) {
      throw refused(`The gateway is not called by this name; allow it with --allow-host if it is yours.`, 'host')
    }
    const own = origin === undefined || origin === `http://${host}`
    if (!own && !origins.includes(origin)) {
      throw refused(`This web page may not use the gateway; allow its origin with --allow-origin.`, 'origin')
    }
    // A page that leaves out the origin, as an image or a link does.
    if (origin === undefined && (site === 'cross-site' || site === 'same-site')) {
      throw refused('A web page of another site may not use the gateway.', 'origin')
    }
    await next()
  }
}

/** Without the port, and without the brackets of IPv6. */
function nameOf(host: string): string {
  return host
    .replace(/:\d+$/, '')
    .replace(/^\[(.*)\]$/, '$1')
    .toLowerCase()
}

function refused(message: string, what: 'host' | 'origin'): ApiError {
  return new ApiError(message, { status: 403, type: 'permission_error', code: `${what}_not_allowed` })
}
