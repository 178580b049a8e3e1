/**
 * A node or a relay under a flood, in a process of its own. It measures how long its event loop works without a pause, in
 * processor time, so that other programs on the machine do not count.
 */
import process from 'node:process'

import { pino } from 'pino'

import { startNode, startRelay } from '../../../node/index.ts'
import { ScriptedEngine } from '../../scripted-engine/engine.ts'

export type VictimKind = 'node' | 'relay'

export interface Usage {
  /** The longest work without a pause since the last question, milliseconds of processor time. */
  longestMs: number
  /** Processor time since the start, milliseconds. */
  cpuMs: number
  /** Memory of the process. */
  rssBytes: number
}

const listen = ['/ip4/127.0.0.1/tcp/0', '/ip4/127.0.0.1/tcp/0/ws']
const shared = { listen, scope: 'local', logger: pino({ level: 'silent' }) } as const
const victim =
  (process.argv[2] as VictimKind) === 'node'
    ? await startNode({ ...shared, engine: new ScriptedEngine() })
    : await startRelay(shared)

let longestMs = 0
let before = process.threadCpuUsage()
function turn(): void {
  const { user, system } = process.threadCpuUsage(before)
  longestMs = Math.max(longestMs, (user + system) / 1_000)
  before = process.threadCpuUsage()
  // Runs after the work of each turn of the event loop, and does not keep an idle loop turning.
  setImmediate(turn).unref()
}

process.on('message', () => {
  const { user, system } = process.cpuUsage()
  process.send?.({ longestMs, cpuMs: (user + system) / 1_000, rssBytes: process.memoryUsage.rss() } satisfies Usage)
  longestMs = 0
})
process.once('disconnect', () => process.exit())
process.send?.(victim.addresses())
turn()
