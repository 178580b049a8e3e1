/** Receipts that a test signs in place of a node. */
import type { PrivateKey } from '@libp2p/interface'
import { sha256 } from '@noble/hashes/sha2.js'
import {
  answerWindows,
  FINGERPRINT_BYTES,
  RENDERING,
  SAMPLING_CONTRACT,
  signReceipt,
  tokensDigest,
  type ContentDigest,
  type GenerateRequest,
  type Receipt
} from '@potluck/protocol'

export interface SignedAnswer {
  request: GenerateRequest
  /** SHA-256 of the request's frame. */
  digest: Uint8Array
  promptTokens: readonly number[]
  /** All tokens of the answer, also those of earlier nodes. */
  answerTokens: readonly number[]
  /** What the node sent besides the ids. */
  content: ContentDigest
  /** Default: zeros. */
  fingerprints?: Uint8Array
}

/** Signs the receipt that an honest node signs for this answer, with these changes. */
export async function signAnswer(
  { request, digest, promptTokens, answerTokens, content, fingerprints }: SignedAnswer,
  key: PrivateKey,
  changes: Partial<Receipt> = {}
): Promise<Uint8Array> {
  const firstPosition = request.continuation?.answerTokens.length ?? 0
  const zeros = new Uint8Array((answerTokens.length - firstPosition) * FINGERPRINT_BYTES)
  return await signReceipt(
    {
      requestId: request.requestId,
      requestDigest: digest,
      modelDigest: request.modelDigest,
      contract: SAMPLING_CONTRACT,
      promptDigest: tokensDigest(promptTokens),
      promptTokens: promptTokens.length,
      answerWindows: answerWindows(answerTokens),
      answerTokens: answerTokens.length,
      firstPosition,
      finishReason: 'stop',
      backend: { accelerator: 'cpu', engine: 'test/1', kvType: 'f16/f16', flashAttention: false, schedule: 'none' },
      usage: { promptTokens: promptTokens.length, cachedTokens: 0, completionTokens: answerTokens.length },
      timings: { queueMs: 0, prefillMs: 1, decodeMs: 1 },
      issuedAt: Date.now(),
      rendering: RENDERING,
      contentDigest: content.digest(),
      fingerprintDigest: sha256(fingerprints ?? zeros),
      ...changes
    },
    key
  )
}
