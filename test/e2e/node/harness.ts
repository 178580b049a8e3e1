/** A node, a relay and a caller in one process, over real libp2p on loopback. They all stop when the test is done. */
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { identify } from '@libp2p/identify'
import type { Connection, Libp2p } from '@libp2p/interface'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import {
  CREDIT_WINDOW,
  decodeNodeFrame,
  DEFAULT_SAMPLING,
  encodeCredit,
  encodeRequest,
  FrameStream,
  GENERATE_PROTOCOL,
  MAX_NODE_FRAME_BYTES,
  STREAM_WINDOW_BYTES,
  type GenerateRequest,
  type NodeFrame
} from '@potluck/protocol'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p, type Libp2pOptions } from 'libp2p'
import { pino, type Logger } from 'pino'
import { onTestFinished, vi } from 'vitest'

import type { Engine } from '../../../node/engine/interface.ts'
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

export async function node(engine: Engine, options: Partial<NodeOptions> = {}): Promise<PotluckNode> {
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

/** A request for the engine's model. */
export function request(engine: Pick<Engine, 'model'>, overrides: Partial<GenerateRequest> = {}): GenerateRequest {
  return {
    requestId: crypto.getRandomValues(new Uint8Array(16)),
    modelDigest: engine.model.digest,
    input: { prompt: 'hello' },
    sampling: { ...DEFAULT_SAMPLING, seed: 1n, temperature: 0 },
    maxTokens: 64,
    stop: [],
    credit: CREDIT_WINDOW,
    commitment: new Uint8Array(32),
    ...overrides
  }
}

const WAIT = { timeoutMs: 20_000, timeoutCode: 'token_timeout' } as const

/** The caller's side of one generate stream. */
export class Call {
  readonly frames: FrameStream

  constructor(frames: FrameStream) {
    this.frames = frames
  }

  /** Opens a stream, and sends the request if one is given. */
  static async open(connection: Connection, asked?: GenerateRequest): Promise<Call> {
    const stream = await connection.newStream(GENERATE_PROTOCOL, {
      maxOutboundStreams: 10_000,
      runOnLimitedConnection: true
    })
    const call = new Call(new FrameStream(stream, { maxFrameBytes: MAX_NODE_FRAME_BYTES }))
    if (asked !== undefined) await call.frames.send(encodeRequest(asked).bytes, WAIT)
    return call
  }

  async credit(tokens: number): Promise<void> {
    await this.frames.send(encodeCredit(tokens), WAIT)
  }

  /** Returns the next frame; undefined if the stream ended. */
  async next(): Promise<NodeFrame | undefined> {
    const bytes = await this.frames.receive(WAIT)
    if (bytes === undefined) return undefined
    const frame = decodeNodeFrame(bytes)
    // A client also closes its side here, because it sends nothing more.
    if (frame.type === 'done' || frame.type === 'error') await this.frames.close()
    return frame
  }

  async expect<T extends NodeFrame['type']>(type: T): Promise<Extract<NodeFrame, { type: T }>> {
    const frame = await this.next()
    if (frame?.type !== type) {
      const got = frame?.type === 'error' ? `the error ${frame.code} ${frame.detail}` : frame?.type
      throw new Error(`expected ${type}, got ${got}`)
    }
    return frame as Extract<NodeFrame, { type: T }>
  }

  /** Returns the text and the tokens up to the terminal frame, and that frame. */
  async rest(): Promise<{ text: string; tokens: number[]; last: NodeFrame | undefined }> {
    let text = ''
    const tokens: number[] = []
    for (;;) {
      const frame = await this.next()
      if (frame?.type !== 'delta') return { text, tokens, last: frame }
      text += frame.delta.text
      tokens.push(...frame.delta.tokens)
    }
  }

  abort(): void {
    this.frames.abort(new Error('the caller cancels'))
  }
}
