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
/** The token of the scripted engine that ends a turn. */
const END = 257

/** Each continues an answer that has already ended. */
const CASES: ReadonlyArray<Pick<GenerateRequest, 'stop'> & { answer: readonly number[] }> = [
  { stop: [], answer: [...Buffer.from('Yes.'), END] },
  { stop: [], answer: [...Buffer.from('Yes.'), END, ...Buffer.from(' No.')] },
  { stop: ['No'], answer: [...Buffer.from('Yes. No')] },
  { stop: ['No'], answer: [...Buffer.from('Yes. No.')] }
]

export const attack: Attack = {
  title: 'asks an honest node to continue an answer past its end, so that its receipt convicts it',
  cost: 'one key, one request',
  before: 'an audit called the receipt a certain violation',

  async run() {
    await using network = new AttackedNetwork()
    const engine = new ScriptedEngine({ reply: () => REPLY })
    const node = await network.node({}, engine)
    const attacker = await network.peer()
    const connection = await attacker.dial(multiaddr(node.addresses()[0]))
    let convictions = 0
    for (const { stop, answer } of CASES) {
      const audit = await continueAnswer(connection, engine, { stop, answer })
      if ((audit?.violations.length ?? 0) > 0) convictions++
    }
    return [{ metric: 'receipts that convict the honest node', value: convictions, limit: { atMost: 0 } }]
  }
}

/** Returns the audit of the receipt; undefined if the node refuses. */
async function continueAnswer(
  connection: Connection,
  engine: ScriptedEngine,
  { stop, answer }: Pick<GenerateRequest, 'stop'> & { answer: readonly number[] }
): Promise<Audit | undefined> {
  const promptTokens = await engine.tokenize({ prompt: PROMPT })
  const { bytes } = encodeRequest({
    requestId: crypto.getRandomValues(new Uint8Array(16)),
    modelDigest: engine.model.digest,
    input: { prompt: PROMPT },
    sampling: { ...DEFAULT_SAMPLING, seed: 1n, temperature: 0 },
    maxTokens: 64,
    stop,
    credit: 64,
    commitment: new Uint8Array(32),
    continuation: { promptTokens, answerTokens: answer }
  })
  const frames = new FrameStream(await connection.newStream(GENERATE_PROTOCOL), { maxFrameBytes: MAX_NODE_FRAME_BYTES })
  await frames.send(bytes, WAIT)
  const answerTokens = [...answer]
  for (;;) {
    const received = await frames.receive(WAIT)
    const frame = received === undefined ? undefined : decodeNodeFrame(received)
    if (frame?.type === 'delta') answerTokens.push(...frame.delta.tokens)
    if (frame === undefined || frame.type === 'error') return undefined
    if (frame.type !== 'done') continue
    const record = { request: bytes, promptTokens, answerTokens, receipt: frame.receipt }
    return await auditAnswer(record, connection.remotePeer, engine)
  }
}
