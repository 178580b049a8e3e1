/** A node, a relay and a caller in one process, over real libp2p on loopback. They all stop when the test is done. */
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { identify } from '@libp2p/identify'
import type { Connection, Libp2p } from '@libp2p/interface'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { STREAM_WINDOW_BYTES } from '@potluck/protocol'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p, type Libp2pOptions } from 'libp2p'
import { pino, type Logger } from 'pino'
import { onTestFinished, vi } from 'vitest'

import {
  startNode,
  startRelay,
  type NodeEvent,
  type NodeMetrics,
  type NodeOptions,
  type PotluckNode,
  type Relay,
  type RelayOptions
} from '../../../node/index.ts'
import { ScriptedEngine } from '../../scripted-engine/engine.ts'
import type { ScriptedOptions } from '../../scripted-engine/script.ts'
import { Gate } from '../../scripted-engine/gate.ts'

export const LOOPBACK = '/ip4/127.0.0.1/tcp/0'

export interface LogLine {
  level: number
  msg: string
  [field: string]: unknown
}

/** A logger whose lines a test can read. */
export function recordLog(): { logger: Logger; lines: LogLine[] } {
  const lines: LogLine[] = []
  const logger = pino({ level: 'debug' }, { write: (line: string) => void lines.push(JSON.parse(line) as LogLine) })
  return { logger, lines }
}

export const silent: Logger = pino({ level: 'silent' })

export async function relay(options: Partial<RelayOptions> = {}): Promise<Relay> {
  const started = await startRelay({ listen: [LOOPBACK], scope: 'local', logger: silent, ...options })
  onTestFinished(async () => await started.stop())
  return started
}

export async function node(engine: NodeOptions['engine'], options: Partial<NodeOptions> = {}): Promise<PotluckNode> {
  const started = await startNode({ engine, listen: [LOOPBACK], scope: 'local', logger: silent, ...options })
  onTestFinished(async () => await started.stop())
  return started
}

/** A node whose engine waits at a gate before every evaluation, except while the node measures its rates. */
export async function gatedNode(
  scripted: ScriptedOptions = {},
  options: Partial<NodeOptions> = {}
): Promise<{ engine: ScriptedEngine; gate: Gate; serving: PotluckNode }> {
  const gate = new Gate()
  let armed = false
  const engine = new ScriptedEngine({
    reply: () => 'ok',
    ...scripted,
    before: async (_step, signal) => {
      if (armed) await gate.pass(signal)
    }
  })
  const serving = await node(engine, options)
  armed = true
  return { engine, gate, serving }
}

/** Resolves with the next event of this type. */
export async function event<T extends NodeEvent['type']>(
  from: PotluckNode,
  type: T
): Promise<Extract<NodeEvent, { type: T }>> {
  return await new Promise((resolve) => {
    const unlisten = from.onEvent((happened) => {
      if (happened.type !== type) return
      unlisten()
      resolve(happened as Extract<NodeEvent, { type: T }>)
    })
  })
}

/** Waits until the node's metrics meet the condition. */
export async function until(
  from: PotluckNode,
  condition: (metrics: NodeMetrics) => boolean,
  timeout = 10_000
): Promise<void> {
  await vi.waitUntil(async () => condition(await from.metrics()), { timeout, interval: 5 })
}

/** A peer that uses the protocols without the client package. */
export async function caller(
  transports: NonNullable<Libp2pOptions['transports']> = [],
  listen: string[] = []
): Promise<Libp2p> {
  const peer = await createLibp2p({
    addresses: { listen },
    transports: [tcp(), ...transports],
    connectionEncrypters: [noise()],
    streamMuxers: [
      yamux({
        streamOptions: { initialStreamWindowSize: STREAM_WINDOW_BYTES, maxStreamWindowSize: STREAM_WINDOW_BYTES }
      })
    ],
    services: { identify: identify(), ping: ping() },
    connectionManager: { inboundConnectionThreshold: 1000 },
    // A long timeout, because all peers share this process, and a ping can wait behind an answer.
    connectionMonitor: { pingTimeout: { minTimeout: 30_000 } }
  })
  onTestFinished(async () => await peer.stop())
  return peer
}

export async function dial(peer: Libp2p, to: PotluckNode): Promise<Connection> {
  return await peer.dial(multiaddr(to.addresses()[0]))
}
