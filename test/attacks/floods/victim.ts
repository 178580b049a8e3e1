/**
 * A node or a relay under attack, in a process of its own. It measures how long its event loop works without a pause,
 * in processor time, so that other programs on the machine do not count.
 */
import process from 'node:process'

import { pino } from 'pino'

import { RemoteEngine } from '../../../node/engine/child/remote-engine.ts'
import { startNode, startRelay } from '../../../node/index.ts'
import { ScriptedEngine } from '../../scripted-engine/engine.ts'

/** The engine of a `daemon` is another process, as in `potluck serve`. */
export type VictimKind = 'relay' | 'node' | 'daemon'

export interface Usage {
  /** The longest work without a pause since the last question, milliseconds of processor time. */
  longestMs: number
  /** Processor time since the start, milliseconds. */
  cpuMs: number
  /** Memory of the process. */
  rssBytes: number
}

const listen = ['/ip4/127.0.0.1/tcp/0', '/ip4/127.0.0.1/tcp/0/ws']
const logger = pino({ level: 'silent' })
const shared = { listen, scope: 'local', logger } as const
const START: Readonly<Record<VictimKind, () => Promise<{ addresses: () => string[] }>>> = {
  relay: async () => await startRelay(shared),
  node: async () => await startNode({ ...shared, engine: new ScriptedEngine() }),
  daemon: async () => {
    const entry = new URL('../blocking/engine-process.ts', import.meta.url)
    const load = { modelPath: '', slots: 4, gpu: false, speculate: true } as const
    return await startNode({ ...shared, engine: await RemoteEngine.start({ entry, load, logger }) })
  }
}
const victim = await START[process.argv[2] as VictimKind]()

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
