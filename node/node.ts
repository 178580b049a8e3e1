/** The options of a node, its events, and the interface of a running node. */
import type { PeerId, PrivateKey } from '@libp2p/interface'
import type { Card, Load, Scope } from '@potluck/protocol'
import type { Logger } from 'pino'

import type { Engine, EngineStatus } from './engine/interface.ts'
import type { NodeLimits } from './limits/limits.ts'
import type { NodeMetrics } from './metrics/metrics.ts'
import type { PauseCondition } from './pause/pauses.ts'
import type { Problem } from './problems.ts'

export interface NodeOptions {
  /** One engine for each model. The caller must close them. A node that stops does not close them. */
  engine: Engine | readonly Engine[]
  /**
   * The directory for the identity and the DHT records. Only one daemon at a time can use it. Default: the node keeps
   * them in memory, with a new identity.
   */
  dataDirectory?: string
  /** Default: the key in the data directory. */
  privateKey?: PrivateKey
  /** Multiaddrs to listen on. */
  listen: readonly string[]
  /**
   * Multiaddrs at which peers reach the node. With scope `local` the node advertises only these. With scope `public` it
   * also advertises the addresses that it listens on.
   */
  announce?: readonly string[]
  /** Multiaddrs of peers through which the node joins the network. Default: none. */
  bootstrap?: readonly string[]
  /** `local`: loopback, a LAN or a testnet. `public`: the node neither advertises nor dials private addresses. */
  scope: Scope
  /** The text of a swarm key file: only peers with the same key can connect. Default: the public network. */
  swarmKey?: string
  /** Finds peers on the LAN, and lets them find this node. Default false. */
  mdns?: boolean
  /** Default `DEFAULT_NODE_LIMITS`. */
  limits?: Partial<NodeLimits>
  /** While one of these conditions holds, the node is paused. Default: none. */
  pauseWhile?: readonly PauseCondition[]
  /** The most bytes of answers that the node sends per second, to all peers together. Default: no limit. */
  uploadBytesPerSecond?: number
  /** Port on loopback for Prometheus metrics and health checks. Default: the node does not serve them. */
  metricsPort?: number
  logger: Logger
  /** Milliseconds since the epoch. Default: the system clock. */
  now?: () => number
  /** Aborts the start only. `stop` or `drain` end a running node. */
  signal?: AbortSignal
}

/** What a running node reports. */
export type NodeEvent =
  /** Peers of the DHT stored the card: clients can find the node. */
  | { type: 'advertised'; card: Card }
  /** The node withdraws its advertised model. */
  | { type: 'withdrawn'; reason: string }
  | { type: 'engine'; model: string; status: EngineStatus }
  /** The owner, or a condition of `pauseWhile`, paused the node or let it continue. */
  | { type: 'paused'; reasons: readonly string[] }
  | { type: 'resumed' }
  /** The owner asked over the control socket that the node ends. The listener must call `drain`. */
  | { type: 'stop' }
  /** A problem begins that the owner can solve. */
  | ({ type: 'problem' } & Problem)

export interface PotluckNode {
  readonly peerId: PeerId
  /** Multiaddrs with the peer id. */
  addresses: () => string[]
  /** The newest signed card. */
  card: () => Card
  load: () => Load
  /** The problems that the owner can solve. */
  problems: () => Problem[]
  metrics: () => Promise<NodeMetrics>
  /** Calls the listener on every event, until the returned function is called. */
  onEvent: (listener: (event: NodeEvent) => void) => () => void
  /** Why the node is paused. Empty: it is not. */
  pauseReasons: () => readonly string[]
  /**
   * Sets whether the node takes no new requests. A paused node finishes the accepted requests, and its card says
   * `draining`. With a data directory, a restarted node is still paused. A node that drains or is stopped stays so.
   */
  setPaused: (paused: boolean) => Promise<void>
  /**
   * Advertises the shutdown, refuses new requests, and waits up to `limits.drainTimeoutMs` for accepted requests to
   * finish. Then it stops the node.
   */
  drain: () => Promise<void>
  /** Stops at once. Running requests fail with `draining`. */
  stop: () => Promise<void>
}
