/**
 * The partial receipt: a node signs each window of 64 answer tokens as soon as it has completed the window. So the
 * tokens of a node that fails before `done` are signed too, except fewer than 64.
 *
 * The node sends only the signature, because the client knows all that it covers.
 */
import { create, toBinary } from '@bufbuild/protobuf'
import type { PeerId } from '@libp2p/interface'
import { sha256 } from '@noble/hashes/sha2.js'
import { concat } from 'uint8arrays/concat'

import { DIGEST_BYTES, MAX_ANSWER_TOKENS, MAX_PARTIAL_RECEIPT_BYTES, RECEIPT_WINDOW } from '../constants.ts'
import { PartialReceiptSchema } from '../messages/potluck_pb.ts'
import { FieldCheck } from '../wire/check.ts'
import { FINGERPRINT_BYTES } from '../sampler/fingerprint.ts'
import { isEnvelopeOf, joinEnvelope, openEnvelope, signEnvelope, type EnvelopeKind, type Signer } from './envelope.ts'
import { tokensDigest } from './receipt.ts'

export interface PartialReceipt {
  /** SHA-256 of the request's frame, exactly as the client sent it. The request names the model and the contract. */
  requestDigest: Uint8Array
  /** Position of the first token that this node generated; above 0 if it continued an answer. */
  firstPosition: number
  /** Tokens from this position on that the node signs here: a multiple of 64. */
  tokens: number
  /** See `WindowChain`. */
  digest: Uint8Array
  /** Version of the rendering, see `RENDERING`. */
  rendering: number
}

const KIND: EnvelopeKind = {
  domain: 'potluck-partial-receipt',
  payloadType: new TextEncoder().encode('/potluck/partial'),
  maxBytes: MAX_PARTIAL_RECEIPT_BYTES
}

const check = new FieldCheck('protocol_violation', 'invalid partial receipt')

const WINDOW_FINGERPRINTS = RECEIPT_WINDOW * FINGERPRINT_BYTES

/**
 * The digest of a prompt and of the complete windows after it. It begins as the digest of the prompt. Each window
 * replaces it by the SHA-256 of three digests: the digest so far, that of the window's tokens, and that of their
 * fingerprints. So a partial receipt has the same size for every answer, and each one covers all windows before it. The
 * node commits to the fingerprints of a window before it sends the next tokens.
 */
export class WindowChain {
  #digest: Uint8Array
  #tokens = 0
  #incomplete: number[] = []
  /** The fingerprints of the tokens after the last complete window, in pieces. Some can still be missing, see `add`. */
  #rest: Uint8Array[] = []
  /** The fingerprints of each complete window. */
  readonly #complete: Uint8Array[] = []

  constructor(promptTokens: readonly number[]) {
    this.#digest = tokensDigest(promptTokens)
  }

  get digest(): Uint8Array {
    return this.#digest
  }

  /** Tokens in complete windows. */
  get tokens(): number {
    return this.#tokens
  }

  /** The fingerprints of the tokens after the last complete window. */
  get rest(): Uint8Array {
    return concat(this.#rest)
  }

  /** The fingerprints so far. */
  fingerprints(): Uint8Array {
    return concat([...this.#complete, ...this.#rest])
  }

  /**
   * Adds the next tokens of the node. Returns the fingerprints of the windows that they complete, or undefined.
   *
   * @param fingerprints the next fingerprints. They can come later than their tokens, but before the window is complete
   * @throws RangeError if the fingerprints of a complete window are missing
   */
  add(ids: readonly number[], fingerprints: Uint8Array): Uint8Array | undefined {
    this.#incomplete.push(...ids)
    if (fingerprints.byteLength > 0) this.#rest.push(fingerprints)
    const windows = Math.floor(this.#incomplete.length / RECEIPT_WINDOW)
    if (windows === 0) return undefined
    const known = concat(this.#rest)
    const completed = known.subarray(0, windows * WINDOW_FINGERPRINTS)
    if (completed.byteLength < windows * WINDOW_FINGERPRINTS) throw new RangeError('a window lacks its fingerprints')
    this.#rest = [known.subarray(completed.byteLength)]
    for (let window = 0; window < windows; window++) {
      const tokens = tokensDigest(this.#incomplete.splice(0, RECEIPT_WINDOW))
      const prints = completed.subarray(window * WINDOW_FINGERPRINTS, (window + 1) * WINDOW_FINGERPRINTS)
      this.#digest = sha256(concat([this.#digest, tokens, sha256(prints)]))
    }
    this.#tokens += windows * RECEIPT_WINDOW
    this.#complete.push(completed)
    return completed
  }
}

/** Signs a partial receipt and returns the signature. */
export async function signPartialReceipt(receipt: PartialReceipt, key: Signer): Promise<Uint8Array> {
  return await signEnvelope(KIND, payloadOf(receipt), key)
}

/**
 * Returns the envelope's bytes. Does not verify the signature.
 *
 * @throws PotluckError `protocol_violation` if the peer has no Ed25519 key
 */
export function joinPartialReceipt(receipt: PartialReceipt, peerId: PeerId, signature: Uint8Array): Uint8Array {
  if (peerId.type !== 'Ed25519') return check.fail('signer', 'has no Ed25519 key')
  return joinEnvelope(KIND, { payload: payloadOf(receipt), publicKey: peerId.publicKey, signature })
}

function payloadOf(receipt: PartialReceipt): Uint8Array {
  return toBinary(PartialReceiptSchema, create(PartialReceiptSchema, receipt))
}

/** Whether the bytes claim to be a partial receipt. Their signature can still be wrong. */
export function isPartialReceipt(bytes: Uint8Array): boolean {
  return isEnvelopeOf(KIND, bytes)
}

/**
 * Verifies and validates a partial receipt. It does not compare the digest with token ids: the caller must do that.
 *
 * @param options.peerId the node that must have signed it
 * @throws PotluckError `protocol_violation` if it is malformed, forged or signed by another peer
 */
export async function openPartialReceipt(bytes: Uint8Array, { peerId }: { peerId: PeerId }): Promise<PartialReceipt> {
  const { payload, signer } = await openEnvelope(KIND, bytes)
  if (!signer.equals(peerId)) check.fail('signer', 'is another peer')
  const message = check.decode(PartialReceiptSchema, payload, 'payload cannot be decoded')
  return {
    requestDigest: check.bytes('request_digest', message.requestDigest, DIGEST_BYTES),
    firstPosition: check.number('first_position', message.firstPosition, 0, MAX_ANSWER_TOKENS),
    tokens: check.number('tokens', message.tokens, 1, MAX_ANSWER_TOKENS),
    digest: check.bytes('digest', message.digest, DIGEST_BYTES),
    rendering: message.rendering
  }
}
