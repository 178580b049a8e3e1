/** For whoever watches over the gateway. Looking asks nodes for their cards at most, and wakes no model. */
import { untilGone, type Handler } from '../http/context.ts'
import type { Services } from '../services.ts'

export function health(): Handler {
  return async (context) => context.text('ok\n')
}

/** Whether a request would find a node. */
export function readiness(services: Services): Handler {
  return async (context) => {
    const served = await services.models.list(untilGone(context, services.stopping))
    return served.length > 0 ? context.text('ready\n') : context.text('no node was found that serves a model\n', 503)
  }
}

export function metricsText(services: Services): Handler {
  return async (context) => {
    const { contentType, body } = await services.metrics.text()
    return context.body(body, 200, { 'content-type': contentType })
  }
}
