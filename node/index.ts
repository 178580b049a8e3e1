/**
 * @module @potluck/node
 *
 * The daemon that serves a language model on a Potluck network.
 *
 * @example
 * const engine = await startLlamaEngine({ modelPath: 'model.gguf', logger })
 * const node = await startNode({ engine, listen: ['/ip4/0.0.0.0/tcp/0'], bootstrap: [relay], scope: 'public', logger })
 * process.once('SIGTERM', () => void node.drain())
 */
export { startNode } from './daemon.ts'
export * from './engine/index.ts'
export { AGENT } from './agent.ts'
export { readStatus } from './control/client.ts'
export type { NodeStatus, StatusCard } from './control/status.ts'
export { DEFAULT_NODE_LIMITS, type NodeLimits } from './limits/limits.ts'
export type { Distribution, NodeMetrics, Outcome } from './metrics/metrics.ts'
export type { NodeEvent, NodeOptions, PotluckNode } from './node.ts'
export { startRelay, type Relay, type RelayOptions } from './relay.ts'
