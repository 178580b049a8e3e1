/**
 * The receipt: a node's signed statement of what it generated, sent in `done`.
 *
 * A receipt has hashes instead of token ids, so it stays small and contains no text. A peer that has the ids can check
 * the hashes. To check the hash of one window, a peer needs only the 64 ids of this window.
 */
import { create, toBinary } from '@bufbuild/protobuf'
import type { PeerId } from '@libp2p/interface'
import { sha256 } from '@noble/hashes/sha2.js'

import {
  DIGEST_BYTES,
  MAX_ANSWER_TOKENS,
  MAX_CARD_STRING,
  MAX_PROMPT_TOKENS,
  MAX_RECEIPT_BYTES,
  RECEIPT_WINDOW,
  REQUEST_ID_BYTES
} from '../constants.ts'
import { openEnvelope, sealEnvelope, type EnvelopeKind, type Signer } from './envelope.ts'
import type { FinishReason, Timings, Usage } from '../generation.ts'
import { ReceiptSchema, type Backend as BackendMessage } from '../messages/potluck_pb.ts'
import { FieldCheck } from '../wire/check.ts'
import { parseFinishReason, parseTimings, parseUsage } from '../wire/node-frame.ts'

/** How the engine computed the logits. It determines how much the logits of honest nodes differ. */
export interface Backend {
  /** "cpu", "cuda", "metal" or "vulkan". */
  accelerator: string
  /** Name and version, and on a processor its kernels: "node-llama-cpp/3.22.1 avx+avx2". As on the node's card. */
  engine: string
  /** Types of the keys and of the values in the KV cache, such as "bf16/f16". */
  kvType: string
  flashAttention: boolean
  /**
   * How the engine divides tokens into evaluations: "any" if the logits never depend on it, "none" if they always do,
   * or the name of the rules that make them independent, such as "blocks-64".
   */
  schedule: string
}

export interface Receipt {
  requestId: Uint8Array
  /** SHA-256 of the request's frame, exactly as the client sent it. */
  requestDigest: Uint8Array
  modelDigest: Uint8Array
  /** Version of the sampling contract. */
  contract: number
  /** See `tokensDigest`. */
  promptDigest: Uint8Array
  promptTokens: number
  /** See `answerWindows`. */
  answerWindows: readonly Uint8Array[]
  /** Tokens of the whole answer, including those that another node generated before a continuation. */
  answerTokens: number
  /** Position of the first token that this node generated; above 0 if it continued an answer. */
  firstPosition: number
  finishReason: FinishReason
  backend: Backend
  usage: Usage
  timings: Timings
  /** Milliseconds since the epoch, by the node's clock. */
  issuedAt: number
  /** Version of the rendering, see `RENDERING`. */
  rendering: number
  /** `ContentDigest` of the text, the reasoning and the tool calls that the node sent, from `firstPosition` on. */
  contentDigest: Uint8Array
  /** `LogprobsDigest` of the log-probabilities that the node sent. Undefined if the request asked for none. */
  logprobsDigest?: Uint8Array
  /** SHA-256 of the fingerprints that the node sent, from `firstPosition` on. */
  fingerprintDigest: Uint8Array
  /**
   * `ContentDigest` of the tokens before `firstPosition`, as it follows from their ids. Set only if the node continued
   * an answer. From this the client learns whether the nodes before sent the text of their tokens.
   */
  earlierContentDigest?: Uint8Array
}

/**
 * Whether a node with this backend gives the answer that the other nodes would have given, token by token. That needs
 * the same kernels and the same schedule on every node (`node/engine/llama/cache.ts`). On a GPU, the logits always
 * depend on the batch.
 *
 * A node says itself how it computes. The audits judge what it computed.
 *
 * @param others how the other nodes compute, from their cards. Together with the model, these fields determine the
 *   cache of a processor, so a card does not name it
 */
export function isExact(
  { accelerator, engine, schedule }: Backend,
  others: readonly Pick<Backend, 'accelerator' | 'engine' | 'schedule'>[]
): boolean {
  return (
    accelerator === 'cpu' &&
    schedule !== '' &&
    schedule !== 'none' &&
    others.every((other) => other.accelerator === accelerator && other.engine === engine && other.schedule === schedule)
  )
}

const KIND: EnvelopeKind = {
  domain: 'potluck-receipt',
  payloadType: new TextEncoder().encode('/potluck/receipt'),
  maxBytes: MAX_RECEIPT_BYTES
}

const check = new FieldCheck('protocol_violation', 'invalid receipt')

/** Returns the SHA-256 of token ids, each encoded as 4 bytes, little-endian. */
export function tokensDigest(ids: readonly number[]): Uint8Array {
  const bytes = new DataView(new ArrayBuffer(ids.length * 4))
  ids.forEach((id, index) => bytes.setUint32(index * 4, id, true))
  return sha256(new Uint8Array(bytes.buffer))
}

/** Returns the `tokensDigest` of each window of 64 ids. The last window can be shorter. */
export function answerWindows(ids: readonly number[]): Uint8Array[] {
  const windows: Uint8Array[] = []
  for (let start = 0; start < ids.length; start += RECEIPT_WINDOW) {
    windows.push(tokensDigest(ids.slice(start, start + RECEIPT_WINDOW)))
  }
  return windows
}

/** Signs a receipt and returns the envelope's bytes. */
export async function signReceipt(receipt: Receipt, key: Signer): Promise<Uint8Array> {
  const payload = toBinary(
    ReceiptSchema,
    create(ReceiptSchema, {
      ...receipt,
      answerWindows: [...receipt.answerWindows],
      issuedAt: BigInt(receipt.issuedAt)
    })
  )
  return await sealEnvelope(KIND, payload, key)
}

/**
 * Verifies and validates a receipt. It does not compare the digests with token ids: the caller must do that.
 *
 * @param options.peerId the node that must have signed it
 * @throws PotluckError `protocol_violation` if it is malformed, forged or signed by another peer
 */
export async function openReceipt(bytes: Uint8Array, { peerId }: { peerId: PeerId }): Promise<Receipt> {
  const { payload, signer } = await openEnvelope(KIND, bytes)
  if (!signer.equals(peerId)) check.fail('signer', 'is another peer')
  const message = check.decode(ReceiptSchema, payload, 'payload cannot be decoded')
  const answerTokens = check.number('answer_tokens', message.answerTokens, 0, MAX_ANSWER_TOKENS)
  if (message.answerWindows.length !== Math.ceil(answerTokens / RECEIPT_WINDOW)) {
    check.fail('answer_windows', 'must have one hash for every 64 tokens')
  }
  return {
    requestId: check.bytes('request_id', message.requestId, REQUEST_ID_BYTES),
    requestDigest: check.bytes('request_digest', message.requestDigest, DIGEST_BYTES),
    modelDigest: check.bytes('model_digest', message.modelDigest, DIGEST_BYTES),
    contract: message.contract,
    promptDigest: check.bytes('prompt_digest', message.promptDigest, DIGEST_BYTES),
    promptTokens: check.number('prompt_tokens', message.promptTokens, 0, MAX_PROMPT_TOKENS),
    answerWindows: message.answerWindows.map((window) => check.bytes('answer_windows', window, DIGEST_BYTES)),
    answerTokens,
    firstPosition: check.number('first_position', message.firstPosition, 0, answerTokens),
    finishReason: parseFinishReason(check, message.finishReason),
    backend: parseBackend(check.present('backend', message.backend)),
    usage: parseUsage(check, message.usage),
    timings: parseTimings(check, message.timings),
    issuedAt: check.integer('issued_at', message.issuedAt, Number.MAX_SAFE_INTEGER),
    rendering: message.rendering,
    contentDigest: check.bytes('content_digest', message.contentDigest, DIGEST_BYTES),
    fingerprintDigest: check.bytes('fingerprint_digest', message.fingerprintDigest, DIGEST_BYTES),
    ...(message.logprobsDigest.byteLength === 0
      ? {}
      : { logprobsDigest: check.bytes('logprobs_digest', message.logprobsDigest, DIGEST_BYTES) }),
    ...(message.earlierContentDigest.byteLength === 0
      ? {}
      : { earlierContentDigest: check.bytes('earlier_content_digest', message.earlierContentDigest, DIGEST_BYTES) })
  }
}

function parseBackend({ accelerator, engine, kvType, flashAttention, schedule }: BackendMessage): Backend {
  return {
    accelerator: check.label('accelerator', accelerator, MAX_CARD_STRING),
    engine: check.label('engine', engine, MAX_CARD_STRING),
    kvType: check.label('kv_type', kvType, MAX_CARD_STRING),
    flashAttention,
    schedule: check.label('schedule', schedule, MAX_CARD_STRING)
  }
}
