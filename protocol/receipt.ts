/**
 * The receipt: a node's signed statement of what it generated, sent in `done`.
 *
 * Hashes stand for the ids, so a receipt stays small and shows nothing of the text; whoever holds
 * the ids can check them, and a dispute about one window shows 64 tokens, not the answer.
 */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import type { PeerId, PrivateKey } from '@libp2p/interface'
import { sha256 } from '@noble/hashes/sha2.js'

import {
  MAX_ANSWER_TOKENS,
  MAX_CARD_STRING,
  MAX_PROMPT_TOKENS,
  MAX_RECEIPT_BYTES,
  RECEIPT_WINDOW
} from './constants.ts'
import { open, seal, type EnvelopeKind } from './envelope.ts'
import type { FinishReason, Timings, Usage } from './generation.ts'
import { ReceiptSchema, type Backend as BackendMessage, type Receipt as ReceiptMessage } from './messages/potluck_pb.ts'
import { FieldCheck } from './wire/check.ts'
import { parseFinishReason, parseTimings, parseUsage } from './wire/node-frame.ts'

/** How the engine computed; honest noise depends on it. */
export interface Backend {
  /** "cpu", "cuda", "metal" or "vulkan". */
  accelerator: string
  /** Name and version, "node-llama-cpp/3.22.1". */
  engine: string
  /** Type of the KV cache, "f16". */
  kvType: string
  flashAttention: boolean
}

export interface Receipt {
  requestId: Uint8Array
  /** SHA-256 of the request's frame as the client sent it. */
  requestDigest: Uint8Array
  modelDigest: Uint8Array
  /** Version of the sampling contract. */
  contract: number
  /** See `tokensDigest`. */
  promptDigest: Uint8Array
  promptTokens: number
  /** See `answerWindows`. */
  answerWindows: readonly Uint8Array[]
  /** From position 0, those of a continuation included. */
  answerTokens: number
  /** Where this node began: above 0 in a continuation. */
  firstPosition: number
  finishReason: FinishReason
  backend: Backend
  usage: Usage
  timings: Timings
  /** Milliseconds since the epoch, by the node's clock. */
  issuedAt: number
}

const KIND: EnvelopeKind = {
  domain: 'potluck-receipt',
  payloadType: new TextEncoder().encode('/potluck/receipt'),
  maxBytes: MAX_RECEIPT_BYTES
}

const check = new FieldCheck('protocol_violation', 'invalid receipt')

/** SHA-256 of token ids, each 4 bytes, little-endian. */
export function tokensDigest(ids: readonly number[]): Uint8Array {
  const bytes = new DataView(new ArrayBuffer(ids.length * 4))
  ids.forEach((id, index) => bytes.setUint32(index * 4, id, true))
  return sha256(new Uint8Array(bytes.buffer))
}

/** `tokensDigest` of each window of 64 ids; the last may be shorter. */
export function answerWindows(ids: readonly number[]): Uint8Array[] {
  const windows: Uint8Array[] = []
  for (let start = 0; start < ids.length; start += RECEIPT_WINDOW) {
    windows.push(tokensDigest(ids.slice(start, start + RECEIPT_WINDOW)))
  }
  return windows
}

export async function signReceipt(receipt: Receipt, key: PrivateKey): Promise<Uint8Array> {
  const payload = toBinary(
    ReceiptSchema,
    create(ReceiptSchema, {
      ...receipt,
      answerWindows: [...receipt.answerWindows],
      issuedAt: BigInt(receipt.issuedAt)
    })
  )
  return await seal(KIND, payload, key)
}

/**
 * Verifies and validates a receipt. Whether its digests are those of the ids at hand is the caller's to compare.
 *
 * @param options.peerId who has to have signed it
 * @throws PotluckError `protocol_violation`
 */
export async function openReceipt(bytes: Uint8Array, { peerId }: { peerId: PeerId }): Promise<Receipt> {
  const { payload, signer } = await open(KIND, bytes)
  if (!signer.equals(peerId)) check.fail('signer', 'is another peer')
  let message: ReceiptMessage
  try {
    message = fromBinary(ReceiptSchema, payload, { readUnknownFields: false })
  } catch {
    return check.fail('payload', 'cannot be decoded')
  }
  const answerTokens = check.number('answer_tokens', message.answerTokens, 0, MAX_ANSWER_TOKENS)
  if (message.answerWindows.length !== Math.ceil(answerTokens / RECEIPT_WINDOW)) {
    check.fail('answer_windows', 'are not one for each 64 tokens')
  }
  return {
    requestId: check.bytes('request_id', message.requestId, 16),
    requestDigest: check.bytes('request_digest', message.requestDigest, 32),
    modelDigest: check.bytes('model_digest', message.modelDigest, 32),
    contract: message.contract,
    promptDigest: check.bytes('prompt_digest', message.promptDigest, 32),
    promptTokens: check.number('prompt_tokens', message.promptTokens, 0, MAX_PROMPT_TOKENS),
    answerWindows: message.answerWindows.map((window) => check.bytes('answer_windows', window, 32)),
    answerTokens,
    firstPosition: check.number('first_position', message.firstPosition, 0, answerTokens),
    finishReason: parseFinishReason(check, message.finishReason),
    backend: parseBackend(check.present('backend', message.backend)),
    usage: parseUsage(check, message.usage),
    timings: parseTimings(check, message.timings),
    issuedAt: check.integer('issued_at', message.issuedAt, Number.MAX_SAFE_INTEGER)
  }
}

function parseBackend({ accelerator, engine, kvType, flashAttention }: BackendMessage): Backend {
  return {
    accelerator: check.label('accelerator', accelerator, MAX_CARD_STRING),
    engine: check.label('engine', engine, MAX_CARD_STRING),
    kvType: check.label('kv_type', kvType, MAX_CARD_STRING),
    flashAttention
  }
}
