/** What handlers get in addition to Hono's own context. */
import type { HttpBindings } from '@hono/node-server'
import type { Context, Hono } from 'hono'
import { PotluckError } from '@potluck/protocol'

export interface HttpEnvironment {
  Bindings: HttpBindings
  Variables: {
    requestId: string
    /** Selects the caller's bucket in the rate limit. */
    caller: string
  }
}

export type GatewayApp = Hono<HttpEnvironment>
export type GatewayContext = Context<HttpEnvironment>
export type Handler = (context: GatewayContext) => Promise<Response>

/**
 * Returns a signal that fires when the caller disconnects before the end of the response, or when the gateway stops.
 */
export function callerSignal({ env: { outgoing } }: GatewayContext, stopping: AbortSignal): AbortSignal {
  const disconnected = new AbortController()
  const onClose = (): void => {
    if (!outgoing.writableFinished) disconnected.abort(new PotluckError('aborted', 'the caller disconnected'))
  }
  if (outgoing.destroyed) onClose()
  else outgoing.once('close', onClose)
  return AbortSignal.any([disconnected.signal, stopping])
}
