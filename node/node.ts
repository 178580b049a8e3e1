/** What a node is started with, and what a running one can do. */
import type { PeerId, PrivateKey } from '@libp2p/interface'
import type { Card, Load, Scope } from '@potluck/protocol'
import type { Logger } from 'pino'

import type { Engine, EngineStatus } from './engine/interface.ts'
import type { NodeLimits } from './limits.ts'
import type { NodeMetrics } from './metrics/metrics.ts'

export interface NodeOptions {
  /** Stays the caller's: closing the node does not close it. */
  engine: Engine
  /** Identity and DHT records are kept here, by one daemon at a time. Default: in memory, a new identity. */
  dataDirectory?: string
  /** Default: that of the data directory. */
  privateKey?: PrivateKey
  /** Multiaddrs to listen on. */
  listen: readonly string[]
  /** Multiaddrs at which others reach it; on a LAN in place of those listened on. */
  announce?: readonly string[]
  /** Multiaddrs of peers that introduce the node. Default: none. */
  bootstrap?: readonly string[]
  /** `local`: loopback, a LAN or a testnet; `public`: private addresses are neither told nor dialled. */
  scope: Scope
  /** Finds peers on the LAN, and is found. Default false. */
  mdns?: boolean
  /** Default `DEFAULT_LIMITS`. */
  limits?: Partial<NodeLimits>
  /** Serves Prometheus metrics and health on this port of loopback. Default: not at all. */
  metricsPort?: number
  logger: Logger
  /** Milliseconds since the epoch. Default: the system's clock. */
  now?: () => number
  /** Aborts the start. A running node ends with `stop` or `drain`. */
  signal?: AbortSignal
}

/** What a running node reports. */
export type NodeEvent =
  /** The card reached storers of the DHT: others can find the node. */
  | { type: 'advertised'; card: Card }
  /** The node takes back what it advertised. */
  | { type: 'withdrawn'; reason: string }
  | { type: 'engine'; status: EngineStatus }

export interface PotluckNode {
  readonly peerId: PeerId
  /** Multiaddrs with the peer id. */
  addresses: () => string[]
  /** As signed last. */
  card: () => Card
  load: () => Load
  metrics: () => Promise<NodeMetrics>
  /** Calls back on every event; returns the way to stop it. */
  onEvent: (listener: (event: NodeEvent) => void) => () => void
  /** Takes no new work, says so, finishes what was accepted (for at most `limits.drainTimeoutMs`), and stops. */
  drain: () => Promise<void>
  /** Stops at once; what runs ends with `draining`. */
  stop: () => Promise<void>
}
