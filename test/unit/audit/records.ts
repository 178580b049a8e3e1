/** Makes answers with their receipts, honest or not, as a client keeps them. */
import { generateKeyPair } from '@libp2p/crypto/keys'
import type { PeerId, PrivateKey } from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import {
  commitment,
  contentDigest,
  ContentDigest,
  decodeClientFrame,
  DEFAULT_SAMPLING,
  encodeRequest,
  RENDERING,
  RECEIPT_WINDOW,
  LogprobsDigest,
  outputConstraintOf,
  joinPartialReceipt,
  signPartialReceipt,
  WindowChain,
  type AnswerContent,
  type AnswerRecord,
  type FinishReason,
  type GenerateRequest,
  type PartialReceipt,
  type PositionLogprobs,
  type Receipt,
  FINGERPRINT_BYTES,
  type TokenDelta
} from '@potluck/protocol'
import { concat } from 'uint8arrays/concat'
import type { Engine } from '../../../node/engine/index.ts'
import { signAnswer } from '../../peers/receipt.ts'

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
  /** Changes what the user sees. The node signs it. */
  delta?: (honest: TokenDelta) => TokenDelta
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
  let content = new ContentDigest()
  const logprobs: PositionLogprobs[] = []
  const prints: Uint8Array[] = []
  let finishReason: FinishReason = 'length'
  const { sampling, maxTokens, stop, topLogprobs } = request
  const constraint = outputConstraintOf(request)
  const reading = { promptTokens, seed: sampling.seed, stop, constraint }
  const before = await engine.read({ ...reading, answerTokens: earlier, open: true })
  const job = {
    promptTokens,
    answerTokens: earlier,
    sampling,
    maxTokens,
    stop,
    constraint,
    credit: maxTokens,
    ...(topLogprobs === undefined ? {} : { topLogprobs })
  }
  for await (const event of (twist.engine ?? engine).generate(job)) {
    if (event.type === 'delta') {
      const delta = twist.delta?.(event.delta) ?? event.delta
      tokens.push(...delta.tokens)
      text += delta.text
      content.add(delta)
      logprobs.push(...(delta.logprobs ?? []))
      prints.push(event.fingerprints)
    } else if (event.type === 'done') finishReason = event.finishReason
  }
  const answerTokens = twist.answerTokens?.(tokens) ?? tokens
  const signed = new LogprobsDigest()
  signed.add(logprobs)
  // A node that changes the tokens sends the text that follows from them. An unknown token has no text.
  const known = answerTokens.filter((token) => token < engine.model.vocabularySize)
  if (twist.answerTokens !== undefined) {
    content = contentOf(await engine.read({ ...reading, answerTokens: known, first: earlier.length }))
  }
  // A node that changes the number of tokens sends as many fingerprints.
  const own = answerTokens.length - (twist.receipt?.firstPosition ?? earlier.length)
  const fingerprints = new Uint8Array(FINGERPRINT_BYTES * own)
  fingerprints.set(concat(prints).subarray(0, fingerprints.length))
  const receipt = await signAnswer({ request, digest, promptTokens, answerTokens, content, fingerprints }, key, {
    finishReason,
    backend: engine.backend,
    ...(topLogprobs === undefined ? {} : { logprobsDigest: signed.digest() }),
    ...(request.continuation === undefined ? {} : { earlierContentDigest: contentDigest(before) }),
    ...twist.receipt
  })
  const record = { request: bytes, promptTokens, answerTokens, receipt, fingerprints, opening: OPENING }
  return { record: topLogprobs === undefined ? record : { ...record, logprobs }, text, finishReason }
}

function contentOf(parts: AnswerContent): ContentDigest {
  const content = new ContentDigest()
  content.add(parts)
  return content
}

/**
 * Returns the record of the windows that the node had completed when it failed: the part of `served` that it signed.
 */
export async function partOf(
  { record }: Pick<Served, 'record'>,
  { key, peerId }: Peer,
  changes: Partial<PartialReceipt> = {}
): Promise<AnswerRecord> {
  const frame = decodeClientFrame(record.request)
  if (frame.type !== 'request') throw new Error('not a request')
  const firstPosition = frame.request.continuation?.answerTokens.length ?? 0
  const whole = record.answerTokens.length - firstPosition
  const tokens = whole - (whole % RECEIPT_WINDOW)
  const answerTokens = record.answerTokens.slice(0, firstPosition + tokens)
  const windows = new WindowChain(record.promptTokens)
  const fingerprints = record.fingerprints.subarray(0, FINGERPRINT_BYTES * tokens)
  windows.add(answerTokens.slice(firstPosition), fingerprints)
  const signed = { requestDigest: frame.digest, firstPosition, tokens, digest: windows.digest, rendering: RENDERING }
  const partial = { ...signed, ...changes }
  const receipt = joinPartialReceipt(partial, peerId, await signPartialReceipt(partial, key))
  return { ...record, answerTokens, fingerprints, receipt }
}
