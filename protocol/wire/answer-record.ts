/** An answer as its client kept it, for an audit by somebody else. */
import type { MessageInitShape } from '@bufbuild/protobuf'
import { peerIdFromMultihash } from '@libp2p/peer-id'
import type { PeerId } from '@libp2p/interface'
import { decode as decodeMultihash } from 'multiformats/hashes/digest'

import { MAX_ANSWER_TOKENS, MAX_FRAME_BYTES, MAX_PROMPT_TOKENS, MAX_RECEIPT_BYTES, MAX_TOKEN_ID } from '../constants.ts'
import type { AnswerRecord as AnswerRecordMessage, AnswerRecordSchema } from '../messages/potluck_pb.ts'
import type { FieldCheck } from './check.ts'

/** Everything that a receipt names by its hash, and the receipt. It shows the prompt and the answer. */
export interface AnswerRecord {
  /** The request's frame, as it was sent. */
  request: Uint8Array
  /** As `accepted` gave them, or as the continuation carried them. */
  promptTokens: readonly number[]
  /** From position 0, those of a continuation included. */
  answerTokens: readonly number[]
  /** Signed envelope, see `openReceipt`. */
  receipt: Uint8Array
}

export function toAnswerRecord(record: AnswerRecord): MessageInitShape<typeof AnswerRecordSchema> {
  return { ...record, promptTokens: [...record.promptTokens], answerTokens: [...record.answerTokens] }
}

export function parseAnswerRecord(check: FieldCheck, message: AnswerRecordMessage): AnswerRecord {
  return {
    request: check.bytesUpTo('request', message.request, MAX_FRAME_BYTES),
    promptTokens: check.tokens('prompt_tokens', message.promptTokens, MAX_PROMPT_TOKENS, MAX_TOKEN_ID),
    answerTokens: check.tokens('answer_tokens', message.answerTokens, MAX_ANSWER_TOKENS, MAX_TOKEN_ID),
    receipt: check.bytesUpTo('receipt', message.receipt, MAX_RECEIPT_BYTES)
  }
}

export function parsePeerId(check: FieldCheck, bytes: Uint8Array): PeerId {
  try {
    return peerIdFromMultihash(decodeMultihash(bytes))
  } catch {
    return check.fail('peer_id', 'is not a peer id')
  }
}
