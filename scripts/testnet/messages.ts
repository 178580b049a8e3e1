/** What a testnet's processes tell each other over Node's IPC channel. */
import type { NodeMetrics } from '../../node/index.ts'
import type { EmbeddedModel } from '../../node/models/crumb.ts'
import type { Villain } from './villains/engines/index.ts'

/** What one process is to be. The relay comes first; nodes load their model while it starts. */
export type MemberSpec = { name: string; role: 'relay' } | NodeSpec

export interface NodeSpec {
  name: string
  role: 'node'
  /** The file that it runs. */
  crumb: EmbeddedModel['quantization']
  slots: number
  /** How it cheats; honest without. */
  villain?: Villain
}

/** `join` ends the wait for the relay's addresses; the others ask for what they are named after. */
export type ToMember = { type: 'join'; bootstrap: string[] } | { type: 'usage' | 'metrics' }

export type Stage = 'hash' | 'load' | 'measure'

export type FromMember =
  | { type: 'progress'; stage: Stage; fraction: number }
  | { type: 'ready'; peerId: string; addresses: string[] }
  | { type: 'failed'; message: string }
  /** CPU time of all threads of the daemon; its engine is a process of its own and not in it. */
  | { type: 'usage'; cpuMicros: number; rssBytes: number }
  /** Of a node. */
  | { type: 'metrics'; metrics: NodeMetrics }
