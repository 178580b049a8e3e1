/** The steps that all requests to the network need: limit, metrics, signal and errors. */
import { callerSignal, type GatewayContext } from './http/context.ts'
import type { RequestMetrics } from './metrics.ts'
import type { RequestedModel } from './served-models.ts'
import type { Services } from './services.ts'

export interface TrackedRequest {
  /** Label in the metrics. */
  endpoint: string
  /** The requested model. The error names it if no node serves it. */
  requested: RequestedModel
  /** How many answers the request needs. */
  count: number
}

export interface TrackedResponse {
  response: Response
  /**
   * Label in the metrics: `done` (default), or the code of an error that happened after the headers of a stream were
   * sent.
   */
  outcome?: string
}

/**
 * Runs a request within the limit of answers and records how it ends.
 *
 * @param run gets a signal that fires when the caller disconnects or the gateway stops
 * @throws ApiError
 */
export async function trackRequest(
  context: GatewayContext,
  services: Services,
  { endpoint, requested, count }: TrackedRequest,
  run: (signal: AbortSignal, metrics: RequestMetrics) => Promise<TrackedResponse>
): Promise<Response> {
  const release = services.concurrency.acquire(count)
  const metrics = services.metrics.request(endpoint)
  const signal = callerSignal(context, services.stopping)
  try {
    const { response, outcome = 'done' } = await run(signal, metrics)
    metrics.finished(outcome)
    return response
  } catch (error) {
    const shown = await services.models.explain(error, requested, signal)
    metrics.finished(shown.code ?? 'failed')
    throw shown
  } finally {
    release()
  }
}
