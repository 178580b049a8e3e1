/** An answer with its receipt, opened: everything in it is what the node signed. */
import type { PeerId } from '@libp2p/interface'

import { PotluckError } from '../errors.ts'
import { answerWindows, openReceipt, tokensDigest, type Receipt } from '../receipt.ts'
import type { AnswerRecord } from '../wire/answer-record.ts'
import { decodeClientFrame, type GenerateRequest } from '../wire/client-frame.ts'

export interface Statement {
  request: GenerateRequest
  receipt: Receipt
  promptTokens: readonly number[]
  answerTokens: readonly number[]
}

/**
 * Verifies the signature, and that the receipt names this request and these tokens. `checkDone` did
 * the same when the answer came; records from elsewhere are bytes from a stranger.
 *
 * @throws PotluckError `protocol_violation`, or `invalid_request` for the frame in it
 */
export async function openStatement(record: AnswerRecord, peerId: PeerId): Promise<Statement> {
  const { promptTokens, answerTokens } = record
  const frame = decodeClientFrame(record.request)
  if (frame.type !== 'request') return fail('the frame holds no request')
  const { request, digest } = frame
  const receipt = await openReceipt(record.receipt, { peerId })
  if (!sameBytes(receipt.requestDigest, digest)) fail('the receipt names another request')
  if (!sameBytes(receipt.modelDigest, request.modelDigest)) fail('the receipt names another model')
  if (receipt.promptTokens !== promptTokens.length || !sameBytes(receipt.promptDigest, tokensDigest(promptTokens))) {
    fail('the receipt names another prompt')
  }
  const windows = answerWindows(answerTokens)
  if (
    receipt.answerTokens !== answerTokens.length ||
    !receipt.answerWindows.every((window, index) => sameBytes(window, windows[index]))
  ) {
    fail('the receipt names another answer')
  }
  return { request, receipt, promptTokens, answerTokens }
}

export function sameBytes(a: Uint8Array, b: Uint8Array | undefined): boolean {
  return b !== undefined && a.byteLength === b.byteLength && a.every((byte, index) => byte === b[index])
}

function fail(reason: string): never {
  throw new PotluckError('protocol_violation', `not an answer with its receipt: ${reason}`)
}
