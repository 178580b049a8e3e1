import { concat } from 'uint8arrays/concat'
import type { Connection } from '@libp2p/interface'
import {
  auditAnswer,
  decodeNodeFrame,
  DEFAULT_SAMPLING,
  encodeRequest,
  FrameStream,
  GENERATE_PROTOCOL,
  MAX_NODE_FRAME_BYTES,
  type Audit,
  type GenerateRequest
} from '@potluck/protocol'
import { multiaddr } from '@multiformats/multiaddr'

import { ScriptedEngine } from '../../scripted-engine/engine.ts'
import type { Attack } from '../attack.ts'
import { AttackedNetwork } from '../network.ts'

const WAIT = { timeoutMs: 20_000, timeoutCode: 'token_timeout' } as const
const PROMPT = 'a prompt'
const REPLY = 'Yes. No. Yes.'
/** The tokens of the scripted engine that begin a prompt, and end a turn. */
const BEGIN = 256
const END = 257

interface Case extends Pick<GenerateRequest, 'stop' | 'responseFormat'> {
  answer: readonly number[]
  /** Default: the ids of the request's prompt. */
  promptTokens?: readonly number[]
}

/** Each continues an answer that has already ended, breaks the grammar, or belongs to another prompt. */
const CASES: readonly Case[] = [
  { stop: [], answer: [...Buffer.from('Yes.'), END] },
  { stop: [], answer: [...Buffer.from('Yes.'), END, ...Buffer.from(' No.')] },
  { stop: ['No'], answer: [...Buffer.from('Yes. No')] },
  { stop: ['No'], answer: [...Buffer.from('Yes. No.')] },
  { stop: [], answer: [...Buffer.from('It is')], responseFormat: { type: 'json_object' } },
  { stop: [], answer: [...Buffer.from('Ye')], promptTokens: [...Buffer.from('another prompt')] }
]

export const attack: Attack = {
  title: 'asks an honest node to continue an answer that no node generates, so that its receipt convicts it',
  cost: 'one key, one request',
  before: 'an audit called the receipt a certain violation',

  async run() {
    await using network = new AttackedNetwork()
    const engine = new ScriptedEngine({ reply: () => REPLY })
    const node = await network.node({}, engine)
    const attacker = await network.peer()
    const connection = await attacker.dial(multiaddr(node.addresses()[0]))
    let convictions = 0
    let built = 0
    for (const one of CASES) {
      const { generated, audit } = await continueAnswer(connection, engine, one)
      if (audit !== undefined && (audit.violations.length > 0 || audit.measured.some(({ margin }) => margin > 0))) {
        convictions++
      }
      if (generated > 0) built++
    }
    const control = await continueAnswer(connection, engine, { stop: [], answer: [...Buffer.from('Yes.')] })
    return [
      {
        metric: 'control: tokens that the node adds to an honest beginning',
        value: control.generated,
        limit: { atLeast: 1 }
      },
      { metric: 'receipts that convict the honest node', value: convictions, limit: { atMost: 0 } },
      { metric: 'answers that the node continues', value: built, limit: { atMost: 0 } }
    ]
  }
}

interface Continued {
  /** Tokens that the node added. */
  generated: number
  /** The audit of its receipt; undefined if it refused. */
  audit?: Audit
}

async function continueAnswer(
  connection: Connection,
  engine: ScriptedEngine,
  { stop, responseFormat, answer, promptTokens = [BEGIN, ...Buffer.from(PROMPT)] }: Case
): Promise<Continued> {
  const { bytes } = encodeRequest({
    requestId: crypto.getRandomValues(new Uint8Array(16)),
    modelDigest: engine.model.digest,
    input: { prompt: PROMPT },
    sampling: { ...DEFAULT_SAMPLING, seed: 1n, temperature: 0 },
    maxTokens: 64,
    stop,
    ...(responseFormat === undefined ? {} : { responseFormat }),
    credit: 64,
    commitment: new Uint8Array(32),
    continuation: { promptTokens, answerTokens: answer }
  })
  const frames = new FrameStream(await connection.newStream(GENERATE_PROTOCOL), { maxFrameBytes: MAX_NODE_FRAME_BYTES })
  await frames.send(bytes, WAIT)
  const answerTokens = [...answer]
  const windows: Uint8Array[] = []
  for (;;) {
    const received = await frames.receive(WAIT)
    const frame = received === undefined ? undefined : decodeNodeFrame(received)
    if (frame?.type === 'delta') {
      answerTokens.push(...frame.delta.tokens)
      if (frame.window !== undefined) windows.push(frame.window.fingerprints)
    }
    const generated = answerTokens.length - answer.length
    if (frame === undefined || frame.type === 'error') return { generated }
    if (frame.type !== 'done') continue
    const fingerprints = concat([...windows, frame.fingerprints])
    const record = { request: bytes, promptTokens, answerTokens, receipt: frame.receipt, fingerprints }
    return { generated, audit: await auditAnswer(record, connection.remotePeer, engine) }
  }
}
