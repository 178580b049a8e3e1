/**
 * A node whose engine is a process of its own, as in `potluck serve`. It measures how long its event loop works without
 * a pause. It measures processor time, so that other programs on the machine do not count.
 */
import process from 'node:process'
import { pino } from 'pino'

import { RemoteEngine } from '../../../node/engine/child/remote-engine.ts'
import { startNode } from '../../../node/index.ts'

const logger = pino({ level: 'silent' })
const engine = await RemoteEngine.start({
  entry: new URL('engine-process.ts', import.meta.url),
  load: { modelPath: '', slots: 4, gpu: false, speculate: true },
  logger
})
const node = await startNode({
  engine,
  listen: ['/ip4/127.0.0.1/tcp/0'],
  scope: 'local',
  logger
})

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
  process.send?.(longestMs)
  longestMs = 0
})
process.once('disconnect', () => process.exit())
process.send?.({ address: node.addresses()[0], digest: engine.model.digest })
turn()
