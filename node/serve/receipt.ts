/** Signs the receipts: the node's statements of what it generated. */
import { sha256 } from '@noble/hashes/sha2.js'
import {
  answerWindows,
  contentDigest,
  RENDERING,
  SAMPLING_CONTRACT,
  signPartialReceipt,
  signReceipt,
  tokensDigest,
  type AnswerContent,
  type ContentDigest,
  type GenerateRequest,
  type LogprobsDigest,
  type Signer,
  type Timings,
  type WindowChain
} from '@potluck/protocol'

import type { Engine, EngineEvent } from '../engine/interface.ts'

export interface ReceiptDependencies {
  signer: Signer
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
}

export interface ReceiptFacts extends GeneratedAnswer {
  engine: Pick<Engine, 'model' | 'backend'>
  request: GenerateRequest
  /** SHA-256 of the request's frame. */
  digest: Uint8Array
  promptTokens: readonly number[]
  /** What the tokens of an answer to continue say; undefined for a new answer. */
  earlier: AnswerContent | undefined
  timings: Timings
}

export async function issueReceipt(
  {
    engine,
    request,
    digest,
    promptTokens,
    answerTokens,
    windows,
    earlier,
    content,
    logprobs,
    timings,
    done
  }: ReceiptFacts,
  { signer, now }: ReceiptDependencies
): Promise<Uint8Array> {
  const { accelerator, engine: name, kvType, flashAttention, schedule } = engine.backend
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
      backend: { accelerator, engine: name, kvType, flashAttention, schedule },
      usage: done.usage,
      timings,
      issuedAt: now(),
      rendering: RENDERING,
      contentDigest: content.digest(),
      fingerprintDigest: sha256(windows.fingerprints()),
      ...(request.topLogprobs === undefined ? {} : { logprobsDigest: logprobs.digest() }),
      ...(earlier === undefined ? {} : { earlierContentDigest: contentDigest(earlier) })
    },
    signer
  )
}

/** Returns the signature of the windows that are complete so far. */
export async function signWindows(
  { request, digest }: Pick<ReceiptFacts, 'request' | 'digest'>,
  windows: WindowChain,
  { signer }: Pick<ReceiptDependencies, 'signer'>
): Promise<Uint8Array> {
  return await signPartialReceipt(
    {
      requestDigest: digest,
      firstPosition: request.continuation?.answerTokens.length ?? 0,
      tokens: windows.tokens,
      digest: windows.digest,
      rendering: RENDERING
    },
    signer
  )
}
