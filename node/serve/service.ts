/** What serving a stream needs of the node. */
import type { PrivateKey } from '@libp2p/interface'
import type { Logger } from 'pino'

import type { AbuseLog } from '../admission/abuse.ts'
import type { Door } from '../admission/door.ts'
import type { FairQueue } from '../admission/queue.ts'
import type { Engine } from '../engine/interface.ts'
import type { NodeLimits } from '../limits.ts'
import type { Metrics } from '../metrics/metrics.ts'

export interface GenerateService {
  engine: Pick<Engine, 'model' | 'backend' | 'status' | 'tokenize' | 'generate'>
  door: Door
  queue: FairQueue
  abuse: AbuseLog
  metrics: Pick<Metrics, 'accepted' | 'finished' | 'observeAnswer'>
  limits: Pick<NodeLimits, 'requestReadTimeoutMs' | 'creditTimeoutMs'>
  /** Signs the receipts. */
  privateKey: PrivateKey
  logger: Logger
  /** Milliseconds since the epoch. */
  now: () => number
  /** Milliseconds, monotonic. */
  clock: () => number
  draining: () => boolean
  /** Fires when the node stops: whatever runs ends. */
  stopping: AbortSignal
}
