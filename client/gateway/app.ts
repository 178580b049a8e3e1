/** The routes, and what every request passes on its way to them. */
import { Hono } from 'hono'
import { cors } from 'hono/cors'
import { requestId } from 'hono/request-id'

import { embeddings } from './endpoints/embeddings.ts'
import { chatCompletions, completions, responses } from './endpoints/generate.ts'
import { health, metricsText, readiness } from './endpoints/health.ts'
import { getModel, listModels } from './endpoints/models.ts'
import { ApiError } from './errors.ts'
import { toApiError } from './failure.ts'
import { guardHost, type HostRules } from './guard/host.ts'
import { guardKey } from './guard/key.ts'
import { guardRate } from './guard/rate.ts'
import type { Environment, GatewayApp } from './http/context.ts'
import type { Services } from './services.ts'

export interface AppOptions extends HostRules {
  keys: readonly string[]
  /** Milliseconds, monotonic. */
  clock: () => number
}

export function createApp(services: Services, { keys, hosts, origins, clock }: AppOptions): GatewayApp {
  const app = new Hono<Environment>()
  app.onError((error, context) => {
    const shown = toApiError(error)
    if (shown.status === 500) services.onFailure(error)
    return context.json(shown.body, { status: shown.status as 500, headers: shown.headers })
  })
  app.notFound(({ req }) => {
    throw new ApiError(`There is no ${req.method} ${req.path}.`, {
      status: 404,
      type: 'invalid_request_error',
      code: 'unknown_url'
    })
  })

  app.use(requestId())
  app.use(guardHost({ hosts, origins }))
  // Only pages that may call come as far as this.
  app.use(cors({ origin: (origin) => origin, exposeHeaders: EXPOSED, maxAge: PREFLIGHT_SECONDS }))
  app.get('/healthz', health())
  app.get('/readyz', readiness(services))
  app.use(guardKey(keys))
  app.get('/metrics', metricsText(services))
  app.use(guardRate(services.limits.requestsPerMinute, clock))
  app.get('/v1/models', listModels(services))
  // Ids hold slashes and colons, which some clients encode and some do not.
  app.get('/v1/models/:id{.+}', getModel(services))
  app.post('/v1/chat/completions', chatCompletions(services))
  app.post('/v1/completions', completions(services))
  app.post('/v1/responses', responses(services))
  app.post('/v1/embeddings', embeddings(services))
  return app
}

/** What a page's script may read beside the body. */
const EXPOSED = [
  'x-request-id',
  'x-should-retry',
  'retry-after',
  'retry-after-ms',
  'x-potluck-node',
  'x-potluck-model',
  'x-potluck-route',
  'x-potluck-failovers'
]
const PREFLIGHT_SECONDS = 600
