/** Endpoints for monitoring. They can ask nodes for their cards, but do not start a generation. */
import { callerSignal, type Handler } from '../http/context.ts'
import type { Services } from '../services.ts'

export function health(): Handler {
  return async (context) => context.text('ok\n')
}

/** Reports whether the gateway finds a node that serves a model. */
export function readiness(services: Services): Handler {
  return async (context) => {
    const served = await services.models.list(callerSignal(context, services.stopping))
    return served.length > 0 ? context.text('ready\n') : context.text('found no node that serves a model\n', 503)
  }
}

export function metricsText(services: Services): Handler {
  return async (context) => {
    const { contentType, body } = await services.metrics.text()
    return context.body(body, 200, { 'content-type': contentType })
  }
}
