/**
 * One process of a testnet: a relay, or a node with its engine. `fleet.ts` starts it. When the parent process ends for
 * any reason, the IPC channel closes and the member shuts down. A member writes no files.
 */
import { setTimeout as sleep } from 'node:timers/promises'

import pino from 'pino'
import type { Engine } from '../../node/engine/interface.ts'
import { crumb } from '../../node/models/crumb.ts'
import { startLlamaEngine, startNode, startRelay, type PotluckNode } from '../../node/index.ts'
import { advertised } from './advertised.ts'
import type { FromMember, MemberSpec, MemberUsage, NodeSpec, ToMember } from './messages.ts'
import { MALICIOUS_ENGINES } from './malicious/engines/index.ts'

/** Limit for an orderly shutdown. After this time, the process exits anyway. */
const SHUTDOWN_MS = 4000
/** How often a relay looks whether its event loop was blocked. */
const TICK_MS = 2
/** Time between two tokens of a scripted engine. */
const TOKEN_MS = 20

const spec = JSON.parse(process.argv[2] ?? '') as MemberSpec
const logger = pino({ level: 'warn', name: spec.name }, pino.destination(2))
const stopping = new AbortController()
const stops: Array<() => Promise<void>> = []
const serving = Promise.withResolvers<PotluckNode>()

function send(message: FromMember): void {
  if (process.connected) process.send?.(message)
}

async function shutDown(code: number): Promise<void> {
  if (stopping.signal.aborted) return
  stopping.abort()
  setTimeout(() => process.exit(1), SHUTDOWN_MS).unref()
  for (const stop of stops.reverse()) await stop().catch((error: unknown) => logger.error(error, 'stop failed'))
  process.exit(code)
}

process.on('disconnect', () => void shutDown(0))
process.on('SIGTERM', () => void shutDown(0))
// Ctrl-C reaches every process of the terminal's process group. Only the parent reacts to it.
process.on('SIGINT', () => undefined)

const joined = new Promise<string[]>((resolve) => {
  process.on('message', (message: ToMember) => {
    if (message.type === 'join') resolve(message.bootstrap)
    else if (message.type === 'usage') send({ type: 'usage', ...usage() })
    else void serving.promise.then(async (node) => send({ type: 'metrics', metrics: await node.metrics() }))
  })
})

let blockedMicros = 0
let lastTick = process.threadCpuUsage()
const tick = (): void => {
  const { user, system } = process.threadCpuUsage(lastTick)
  blockedMicros = Math.max(blockedMicros, user + system)
  lastTick = process.threadCpuUsage()
}
// The ticks take 2 % of a core, which would count as a cost of the tokens that a node streams.
if (spec.role === 'relay') setInterval(tick, TICK_MS).unref()

function usage(): MemberUsage {
  const { user, system } = process.cpuUsage()
  const blockedMs = blockedMicros / 1000
  blockedMicros = 0
  return { cpuMicros: user + system, rssBytes: process.memoryUsage.rss(), blockedMs }
}

async function start(): Promise<void> {
  const common = { listen: ['/ip4/127.0.0.1/tcp/0', '/ip6/::1/tcp/0'], scope: 'local', mdns: false, logger } as const
  if (spec.role === 'relay') {
    const relay = await startRelay({ ...common, bootstrap: [] })
    stops.push(() => relay.stop())
    send({ type: 'ready', peerId: relay.peerId.toString(), addresses: relay.addresses() })
    return
  }
  const real = spec.scripted === true ? await scriptedEngine() : await llamaEngine(spec)
  stops.push(() => real.close())
  const engine = spec.malicious === undefined ? real : MALICIOUS_ENGINES[spec.malicious](real)
  const bootstrap = await joined
  send({ type: 'progress', stage: 'measure', fraction: 0 })
  const node = await startNode({ ...common, engine, bootstrap })
  stops.push(() => node.stop())
  serving.resolve(node)
  await advertised(node)
  send({ type: 'ready', peerId: node.peerId.toString(), addresses: node.addresses() })
}

async function llamaEngine({ crumb: quantization, slots, gpu }: NodeSpec): Promise<Engine> {
  const model = crumb[quantization]
  const engine = await startLlamaEngine({
    modelPath: model.path,
    name: model.name,
    slots,
    threads: 1,
    gpu: gpu === true ? 'auto' : false,
    onProgress: (fraction, stage) => send({ type: 'progress', stage, fraction }),
    logger,
    signal: stopping.signal
  })
  if (gpu !== true || engine.backend.accelerator !== 'cpu') return engine
  await engine.close()
  throw new Error('node-llama-cpp finds no GPU on this machine')
}

/** Random text that depends on the seed, at the pace of a small model. */
async function scriptedEngine(): Promise<Engine> {
  const { ScriptedEngine } = await import('../../test/scripted-engine/engine.ts')
  return new ScriptedEngine({
    slots: 2,
    before: async ({ kind }, signal) => {
      if (kind === 'token') await sleep(TOKEN_MS, undefined, { signal })
    }
  })
}

start().catch((error: unknown) => {
  if (stopping.signal.aborted) return
  send({ type: 'failed', message: error instanceof Error ? error.message : String(error) })
  void shutDown(1)
})
