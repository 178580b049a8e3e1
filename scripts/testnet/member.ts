/**
 * One process of a testnet: a relay, or a node with its engine. Forked by `fleet.ts`, it lives as long as the IPC
 * channel: when the parent ends, in whatever way, the channel closes and the member leaves. It writes no file.
 */
import pino from 'pino'
import { crumb } from '../../node/models/crumb.ts'
import { startLlamaEngine, startNode, startRelay, type PotluckNode } from '../../node/index.ts'
import type { FromMember, MemberSpec, ToMember } from './messages.ts'
import { VILLAINS } from './villains/engines/index.ts'

/** For stopping in order; what hangs longer is ended by the exit. */
const LEAVE_MS = 4000

const spec = JSON.parse(process.argv[2] ?? '') as MemberSpec
const logger = pino({ level: 'warn', name: spec.name }, pino.destination(2))
const leaving = new AbortController()
const stops: Array<() => Promise<void>> = []
const serving = Promise.withResolvers<PotluckNode>()

function tell(message: FromMember): void {
  if (process.connected) process.send?.(message)
}

async function leave(code: number): Promise<void> {
  if (leaving.signal.aborted) return
  leaving.abort()
  setTimeout(() => process.exit(1), LEAVE_MS).unref()
  for (const stop of stops.reverse()) await stop().catch((error: unknown) => logger.error(error, 'stop failed'))
  process.exit(code)
}

process.on('disconnect', () => void leave(0))
process.on('SIGTERM', () => void leave(0))
// Ctrl-C reaches every process of the terminal's group. The parent decides what it means.
process.on('SIGINT', () => undefined)

const joined = new Promise<string[]>((resolve) => {
  process.on('message', (message: ToMember) => {
    if (message.type === 'join') resolve(message.bootstrap)
    else if (message.type === 'usage') tell({ type: 'usage', ...usage() })
    else void serving.promise.then(async (node) => tell({ type: 'metrics', metrics: await node.metrics() }))
  })
})

function usage(): { cpuMicros: number; rssBytes: number } {
  const { user, system } = process.cpuUsage()
  return { cpuMicros: user + system, rssBytes: process.memoryUsage.rss() }
}

/** Nothing can have been published before `startNode` resolved: a node that just started knows no peer yet. */
function advertised(node: PotluckNode): Promise<void> {
  return new Promise((resolve) => {
    const off = node.onEvent(({ type }) => {
      if (type !== 'advertised') return
      off()
      resolve()
    })
  })
}

async function start(): Promise<void> {
  const common = { listen: ['/ip4/127.0.0.1/tcp/0'], scope: 'local', mdns: false, logger } as const
  if (spec.role === 'relay') {
    const relay = await startRelay({ ...common, bootstrap: [] })
    stops.push(() => relay.stop())
    tell({ type: 'ready', peerId: relay.peerId.toString(), addresses: relay.addresses() })
    return
  }
  const model = crumb[spec.crumb]
  const real = await startLlamaEngine({
    modelPath: model.path,
    name: model.name,
    slots: spec.slots,
    threads: 1,
    gpu: false,
    onProgress: (fraction, stage) => tell({ type: 'progress', stage, fraction }),
    logger,
    signal: leaving.signal
  })
  stops.push(() => real.close())
  const engine = spec.villain === undefined ? real : VILLAINS[spec.villain](real)
  const bootstrap = await joined
  tell({ type: 'progress', stage: 'measure', fraction: 0 })
  const node = await startNode({ ...common, engine, bootstrap })
  stops.push(() => node.stop())
  serving.resolve(node)
  await advertised(node)
  tell({ type: 'ready', peerId: node.peerId.toString(), addresses: node.addresses() })
}

start().catch((error: unknown) => {
  if (leaving.signal.aborted) return
  tell({ type: 'failed', message: error instanceof Error ? error.message : String(error) })
  void leave(1)
})
