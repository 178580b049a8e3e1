/** What the endpoints share. */
import type { Client } from '../index.ts'
import type { Audits } from './answers/potluck.ts'
import type { GatewayLimits } from './limits.ts'
import type { GatewayMetrics } from './metrics.ts'
import type { ServedModels } from './served-models.ts'
import type { Turnstile } from './guard/turnstile.ts'

export interface Services {
  client: Pick<Client, 'chat' | 'complete' | 'embed'>
  models: ServedModels
  audits: Audits
  metrics: GatewayMetrics
  turnstile: Turnstile
  limits: GatewayLimits
  /** Fires when the gateway stops. */
  stopping: AbortSignal
  /** Seconds since the epoch. */
  now: () => number
  /** As `now`: the network does not know when a model was made. */
  startedAt: number
  /** Hears of errors that nobody foresaw. */
  onFailure: (error: unknown) => void
}
