/** The messages between a testnet's processes, over Node's IPC channel. */
import type { NodeMetrics } from '../../node/index.ts'
import type { EmbeddedModel } from '../../node/models/crumb.ts'
import type { MaliciousKind } from './malicious/engines/index.ts'

/** What one process runs. Nodes load their model while the relay starts. */
export type MemberSpec = { name: string; role: 'relay' } | NodeSpec

export interface NodeSpec {
  name: string
  role: 'node'
  /** The model file that the node loads. */
  crumb: EmbeddedModel['quantization']
  slots: number
  /** Computes on the GPU that node-llama-cpp finds. Without one, the node does not start. Default: the processor. */
  gpu?: boolean
  /** Uses a scripted engine in place of the model. It starts at once and needs no processor time. */
  scripted?: true
  /** How a malicious node misbehaves. Absent for an honest node. */
  malicious?: MaliciousKind
}

/** `join` gives a node the relay's addresses. The member answers `usage` and `metrics` with a message of that name. */
export type ToMember = { type: 'join'; bootstrap: string[] } | { type: 'usage' | 'metrics' }

export interface MemberUsage {
  /** CPU time of all threads of the daemon. The engine runs in its own process and does not count. */
  cpuMicros: number
  rssBytes: number
  /**
   * The most CPU time that the main thread took without serving a timer since the last message, in milliseconds: how
   * long the event loop was blocked on a machine that does nothing else. Only a relay measures it; 0 for a node.
   */
  blockedMs: number
}

export type Stage = 'hash' | 'load' | 'measure'

export type FromMember =
  | { type: 'progress'; stage: Stage; fraction: number }
  | { type: 'ready'; peerId: string; addresses: string[] }
  | { type: 'failed'; message: string }
  | ({ type: 'usage' } & MemberUsage)
  /** Only from a node. */
  | { type: 'metrics'; metrics: NodeMetrics }
