/** Verifies an answer against its signed receipt, so that the node's signature covers every field of the result. */
import type { PeerId } from '@libp2p/interface'
import { sha256 } from '@noble/hashes/sha2.js'
import { equals } from 'uint8arrays/equals'

import { PotluckError } from '../errors.ts'
import type { PositionLogprobs } from '../generation.ts'
import { FINGERPRINT_BYTES } from '../sampler/fingerprint.ts'
import type { AnswerRecord } from '../wire/answer-record.ts'
import { decodeClientFrame, type GenerateRequest } from '../wire/client-frame.ts'
import { LogprobsDigest } from './content.ts'
import { isPartialReceipt, openPartialReceipt, WindowChain, type PartialReceipt } from './partial-receipt.ts'
import { answerWindows, openReceipt, tokensDigest, type Receipt } from './receipt.ts'

export interface VerifiedAnswer {
  request: GenerateRequest
  /** Of the whole answer, or of the part that the node signed before it failed. */
  receipt: Receipt | PartialReceipt
  promptTokens: readonly number[]
  answerTokens: readonly number[]
  /** The fingerprints that the node signed, from the receipt's `firstPosition` on. */
  fingerprints: Uint8Array
  /** From the receipt's `firstPosition` on. Undefined if the record has none. */
  logprobs?: readonly PositionLogprobs[]
}

/**
 * Verifies the signature of the receipt, and that the receipt is for this request and these tokens. Any peer can send a
 * record, so its bytes are untrusted.
 *
 * @throws PotluckError `protocol_violation` if the record is not valid, `invalid_request` if the request in it is not
 */
export async function openAnswerRecord(record: AnswerRecord, peerId: PeerId): Promise<VerifiedAnswer> {
  const { promptTokens, answerTokens, fingerprints, logprobs } = record
  const frame = decodeClientFrame(record.request)
  if (frame.type !== 'request') return fail('the first frame is not a request')
  const { request, digest } = frame
  const partial = isPartialReceipt(record.receipt)
  const receipt = await (partial ? openPartialReceipt : openReceipt)(record.receipt, { peerId })
  if (!equals(receipt.requestDigest, digest)) fail('the receipt is for another request')
  if ('answerWindows' in receipt) checkReceipt(receipt, record, request)
  else checkPartialReceipt(receipt, record)
  return { request, receipt, promptTokens, answerTokens, fingerprints, ...(logprobs === undefined ? {} : { logprobs }) }
}

function checkReceipt(
  receipt: Receipt,
  { promptTokens, answerTokens, fingerprints, logprobs }: AnswerRecord,
  request: GenerateRequest
): void {
  if (!equals(receipt.modelDigest, request.modelDigest)) fail('the receipt is for another model')
  if (receipt.promptTokens !== promptTokens.length || !equals(receipt.promptDigest, tokensDigest(promptTokens))) {
    fail('the receipt is for another prompt')
  }
  const windows = answerWindows(answerTokens)
  if (
    receipt.answerTokens !== answerTokens.length ||
    !windows.every((window, index) => equals(window, receipt.answerWindows[index]!))
  ) {
    fail('the receipt is for another answer')
  }
  if (
    fingerprints.byteLength !== (answerTokens.length - receipt.firstPosition) * FINGERPRINT_BYTES ||
    !equals(receipt.fingerprintDigest, sha256(fingerprints))
  ) {
    fail('the receipt is for other fingerprints')
  }
  if (logprobs === undefined) return
  const signed = new LogprobsDigest()
  signed.add(logprobs)
  if (
    logprobs.length !== answerTokens.length - receipt.firstPosition ||
    receipt.logprobsDigest === undefined ||
    !equals(receipt.logprobsDigest, signed.digest())
  ) {
    fail('the receipt is for other log-probabilities')
  }
}

function checkPartialReceipt(
  { firstPosition, tokens, digest }: PartialReceipt,
  { promptTokens, answerTokens, fingerprints, logprobs }: AnswerRecord
): void {
  if (fingerprints.byteLength !== tokens * FINGERPRINT_BYTES || answerTokens.length !== firstPosition + tokens) {
    fail('the partial receipt is for another number of tokens')
  }
  const chain = new WindowChain(promptTokens)
  chain.add(answerTokens.slice(firstPosition), fingerprints)
  if (chain.tokens !== tokens || !equals(chain.digest, digest)) {
    fail('the partial receipt is for another prompt or answer')
  }
  if (logprobs !== undefined) fail('a partial receipt does not cover log-probabilities')
}

function fail(reason: string): never {
  throw new PotluckError('protocol_violation', `invalid answer record: ${reason}`)
}
