/** Makes answers with their receipts, honest or not, as a client keeps them. */
import { generateKeyPair } from '@libp2p/crypto/keys'
import type { PeerId, PrivateKey } from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import {
  answerWindows,
  commitment,
  DEFAULT_SAMPLING,
  encodeRequest,
  SAMPLING_CONTRACT,
  outputConstraintOf,
  signReceipt,
  tokensDigest,
  type AnswerRecord,
  type FinishReason,
  type GenerateRequest,
  type Receipt
} from '@potluck/protocol'
import type { Engine } from '../../../node/engine/index.ts'

export interface Peer {
  key: PrivateKey
  peerId: PeerId
}

export async function newPeer(): Promise<Peer> {
  const key = await generateKeyPair('Ed25519')
  return { key, peerId: peerIdFromPrivateKey(key) }
}

/** Opens the commitment of every request of `requestFor`. */
export const OPENING: Uint8Array = new Uint8Array(16).fill(7)
/** The commitment of a request that is not shareable. */
export const PRIVATE: Uint8Array = commitment(false, OPENING)

let requests = 0

export function requestFor(engine: Pick<Engine, 'model'>, change: Partial<GenerateRequest> = {}): GenerateRequest {
  requests++
  return {
    requestId: Uint8Array.from({ length: 16 }, (_, index) => (requests >> (8 * index)) & 0xff),
    modelDigest: engine.model.digest,
    input: { messages: [{ role: 'user', content: 'Tell me a story.' }] },
    sampling: { ...DEFAULT_SAMPLING, seed: BigInt(requests), temperature: 1 },
    maxTokens: 24,
    stop: [],
    credit: 1000,
    commitment: commitment(true, OPENING),
    ...change
  }
}

/** How a node differs from an honest node. */
export interface Twist {
  /** Generates the answer. Default: the auditor's own engine. */
  engine?: Engine
  promptTokens?: (honest: number[]) => number[]
  answerTokens?: (honest: number[]) => number[]
  receipt?: Partial<Receipt>
}

export interface Served {
  record: AnswerRecord
  text: string
  finishReason: FinishReason
}

/** Answers a request and signs the receipt. */
export async function serve(
  engine: Engine,
  { key }: Peer,
  request: GenerateRequest,
  twist: Twist = {}
): Promise<Served> {
  const { bytes, digest } = encodeRequest(request)
  const rendered = request.continuation?.promptTokens ?? (await engine.tokenize(request.input))
  const promptTokens = twist.promptTokens?.([...rendered]) ?? [...rendered]
  const earlier = request.continuation?.answerTokens ?? []
  const tokens = [...earlier]
  let text = ''
  let finishReason: FinishReason = 'length'
  const { sampling, maxTokens, stop } = request
  const constraint = outputConstraintOf(request)
  const job = { promptTokens, answerTokens: earlier, sampling, maxTokens, stop, constraint, credit: maxTokens }
  for await (const event of (twist.engine ?? engine).generate(job)) {
    if (event.type === 'delta') {
      tokens.push(...event.delta.tokens)
      text += event.delta.text
    } else if (event.type === 'done') finishReason = event.finishReason
  }
  const answerTokens = twist.answerTokens?.(tokens) ?? tokens
  const receipt = await signReceipt(
    {
      requestId: request.requestId,
      requestDigest: digest,
      modelDigest: request.modelDigest,
      contract: SAMPLING_CONTRACT,
      promptDigest: tokensDigest(promptTokens),
      promptTokens: promptTokens.length,
      answerWindows: answerWindows(answerTokens),
      answerTokens: answerTokens.length,
      firstPosition: earlier.length,
      finishReason,
      backend: engine.backend,
      usage: { promptTokens: promptTokens.length, cachedTokens: 0, completionTokens: answerTokens.length },
      timings: { queueMs: 0, prefillMs: 1, decodeMs: 1 },
      issuedAt: 1_700_000_000_000,
      ...twist.receipt
    },
    key
  )
  return { record: { request: bytes, promptTokens, answerTokens, receipt, opening: OPENING }, text, finishReason }
}
