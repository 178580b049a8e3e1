/** What handlers get of a request beside Hono's own. */
import type { HttpBindings } from '@hono/node-server'
import type { Context, Hono } from 'hono'
import { PotluckError } from '@potluck/protocol'

export interface Environment {
  Bindings: HttpBindings
  Variables: {
    requestId: string
    /** Which bucket of the rate limit the caller draws from. */
    caller: string
  }
}

export type GatewayApp = Hono<Environment>
export type GatewayContext = Context<Environment>
export type Handler = (context: GatewayContext) => Promise<Response>

/** Fires when the caller leaves before its answer is written, or when the gateway stops. */
export function untilGone({ env: { outgoing } }: GatewayContext, stopping: AbortSignal): AbortSignal {
  const gone = new AbortController()
  const leave = (): void => {
    if (!outgoing.writableFinished) gone.abort(new PotluckError('aborted', 'the caller left'))
  }
  if (outgoing.destroyed) leave()
  else outgoing.once('close', leave)
  return AbortSignal.any([gone.signal, stopping])
}
