/** An answer and its receipt, as the client keeps them for an audit by another peer. */
import type { MessageInitShape } from '@bufbuild/protobuf'
import { peerIdFromMultihash } from '@libp2p/peer-id'
import type { PeerId } from '@libp2p/interface'
import { decode as decodeMultihash } from 'multiformats/hashes/digest'

import {
  MAX_ANSWER_TOKENS,
  MAX_FRAME_BYTES,
  MAX_PROMPT_TOKENS,
  MAX_RECEIPT_BYTES,
  MAX_RECORD_LOGPROBS,
  MAX_TOKEN_ID,
  OPENING_BYTES
} from '../constants.ts'
import type { PositionLogprobs } from '../generation.ts'
import type { AnswerRecord as AnswerRecordMessage, AnswerRecordSchema } from '../messages/potluck_pb.ts'
import type { FieldCheck } from './check.ts'
import { parseFingerprints } from './fingerprints.ts'
import { parsePosition, toPositionMessage } from './node-frame.ts'

/** A receipt, and the data whose hashes are in the receipt. The record reveals the prompt and the answer. */
export interface AnswerRecord {
  /** The request's frame, exactly as the client sent it. */
  request: Uint8Array
  /** The prompt's ids in `accepted` or, for a continuation, in the request. */
  promptTokens: readonly number[]
  /**
   * The answer from position 0, including tokens of other nodes: the whole answer, or with a partial receipt the tokens
   * up to the last that the node signed.
   */
  answerTokens: readonly number[]
  /** Signed envelope, see `openReceipt` and `openPartialReceipt`. */
  receipt: Uint8Array
  /** The fingerprints that the node sent, from the receipt's `firstPosition` on: see `fingerprintsOf`. */
  fingerprints: Uint8Array
  /** As the node sent them, from the receipt's `firstPosition` on. Undefined: an audit does not check them. */
  logprobs?: readonly PositionLogprobs[]
  /** Opens the request's commitment: see `isShareable`. Only the record of a shareable request has it. */
  opening?: Uint8Array
}

/** Leaves out log-probabilities that take too much space: see `MAX_RECORD_LOGPROBS`. */
export function toAnswerRecord({
  logprobs = [],
  ...record
}: AnswerRecord): MessageInitShape<typeof AnswerRecordSchema> {
  return {
    ...record,
    promptTokens: [...record.promptTokens],
    answerTokens: [...record.answerTokens],
    logprobs: entries(logprobs) > MAX_RECORD_LOGPROBS ? [] : logprobs.map(toPositionMessage)
  }
}

export function parseAnswerRecord(check: FieldCheck, message: AnswerRecordMessage): AnswerRecord {
  const logprobs = message.logprobs.map((position) => parsePosition(check, position))
  check.number('logprobs', entries(logprobs), 0, MAX_RECORD_LOGPROBS)
  return {
    request: check.bytesUpTo('request', message.request, MAX_FRAME_BYTES),
    promptTokens: check.tokens('prompt_tokens', message.promptTokens, MAX_PROMPT_TOKENS, MAX_TOKEN_ID),
    answerTokens: check.tokens('answer_tokens', message.answerTokens, MAX_ANSWER_TOKENS, MAX_TOKEN_ID),
    receipt: check.bytesUpTo('receipt', message.receipt, MAX_RECEIPT_BYTES),
    fingerprints: parseFingerprints(check, message.fingerprints, MAX_ANSWER_TOKENS),
    ...(logprobs.length === 0 ? {} : { logprobs }),
    ...(message.opening.length === 0 ? {} : { opening: check.bytes('opening', message.opening, OPENING_BYTES) })
  }
}

function entries(logprobs: readonly PositionLogprobs[]): number {
  return logprobs.reduce((sum, { top }) => sum + 1 + top.length, 0)
}

/** Decodes the multihash bytes of a peer id. */
export function parsePeerId(check: FieldCheck, bytes: Uint8Array): PeerId {
  try {
    return peerIdFromMultihash(decodeMultihash(bytes))
  } catch {
    return check.fail('peer_id', 'is not a peer id')
  }
}
