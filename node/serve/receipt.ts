/** Signs the receipts: the node's statements of what it generated. */
import {
  answerWindows,
  RENDERING,
  SAMPLING_CONTRACT,
  signPartialReceipt,
  signReceipt,
  tokensDigest,
  type ContentDigest,
  type GenerateRequest,
  type LogprobsDigest,
  type Timings,
  type WindowChain
} from '@potluck/protocol'

import type { PrivateKey } from '@libp2p/interface'
import { sha256 } from '@noble/hashes/sha2.js'

import type { Engine, EngineEvent } from '../engine/interface.ts'

export interface ReceiptDependencies {
  engine: Pick<Engine, 'model' | 'backend'>
  privateKey: PrivateKey
  /** Milliseconds since the epoch. */
  now: () => number
}

export interface GeneratedAnswer {
  done: Extract<EngineEvent, { type: 'done' }>
  /** All tokens from position 0, including the tokens of the continuation in the request. */
  answerTokens: readonly number[]
  /** The windows that the node sent. */
  windows: WindowChain
  /** Of all deltas that the node sent. */
  content: ContentDigest
  logprobs: LogprobsDigest
  /** Of the whole answer, if it continues an answer; otherwise undefined. */
  whole: ContentDigest | undefined
}

export interface ReceiptFacts extends GeneratedAnswer {
  request: GenerateRequest
  /** SHA-256 of the request's frame. */
  digest: Uint8Array
  promptTokens: readonly number[]
  timings: Timings
}

export async function issueReceipt(
  { request, digest, promptTokens, answerTokens, windows, content, logprobs, whole, timings, done }: ReceiptFacts,
  { engine, privateKey, now }: ReceiptDependencies
): Promise<Uint8Array> {
  const { accelerator, engine: name, kvType, flashAttention } = engine.backend
  return await signReceipt(
    {
      requestId: request.requestId,
      requestDigest: digest,
      modelDigest: engine.model.digest,
      contract: SAMPLING_CONTRACT,
      promptDigest: tokensDigest(promptTokens),
      promptTokens: promptTokens.length,
      answerWindows: answerWindows(answerTokens),
      answerTokens: answerTokens.length,
      firstPosition: request.continuation?.answerTokens.length ?? 0,
      finishReason: done.finishReason,
      backend: { accelerator, engine: name, kvType, flashAttention },
      usage: done.usage,
      timings,
      issuedAt: now(),
      rendering: RENDERING,
      contentDigest: content.digest(),
      fingerprintDigest: sha256(windows.fingerprints()),
      ...(request.topLogprobs === undefined ? {} : { logprobsDigest: logprobs.digest() }),
      ...(whole === undefined ? {} : { answerContentDigest: whole.digest() })
    },
    privateKey
  )
}

/** Signs the windows that are complete so far. */
export async function issuePartialReceipt(
  { request, digest }: Pick<ReceiptFacts, 'request' | 'digest'>,
  windows: WindowChain,
  { privateKey }: Pick<ReceiptDependencies, 'privateKey'>
): Promise<Uint8Array> {
  return await signPartialReceipt(
    {
      requestDigest: digest,
      firstPosition: request.continuation?.answerTokens.length ?? 0,
      tokens: windows.tokens,
      digest: windows.digest,
      rendering: RENDERING
    },
    privateKey
  )
}
