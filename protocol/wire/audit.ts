/** `/potluck/audit/1.0.0`: somebody else's answer, and what a node that holds the same model makes of it. */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import type { PeerId } from '@libp2p/interface'

import { MAX_ANSWER_TOKENS } from '../constants.ts'
import {
  AuditReplySchema,
  AuditRequestSchema,
  type AuditReply as AuditReplyMessage,
  type AuditRequest as AuditRequestMessage,
  type AuditResult as AuditResultMessage
} from '../messages/potluck_pb.ts'
import type { TokenMargin } from '../sampler/index.ts'
import { parseAnswerRecord, parsePeerId, toAnswerRecord, type AnswerRecord } from './answer-record.ts'
import { FieldCheck } from './check.ts'
import { parseFailure, type Refusal } from './node-frame.ts'

/**
 * What no honest node signs, whatever its backend; each can be shown to anybody.
 *
 * - `prompt`: other token ids than the model's template and tokenizer give for the request
 * - `continuation`: not the ids that it was asked to continue, or another first position
 * - `usage`: sums that are not those of the ids
 * - `finish`: an answer that goes on behind its end, or is over for a reason that is not there: cut short
 */
export type Violation = 'prompt' | 'continuation' | 'usage' | 'finish'

export const VIOLATIONS: readonly Violation[] = ['prompt', 'continuation', 'usage', 'finish']

export interface AuditRequest {
  /** Who signed the receipt. */
  peerId: PeerId
  answer: AnswerRecord
}

export interface AuditResult {
  /** False: the receipt is of another version of the sampling contract, which says nothing. */
  comparable: boolean
  violations: readonly Violation[]
  /** One for each token that the node generated; none where it is not comparable or was not needed. */
  measured: readonly TokenMargin[]
}

export type AuditReply = { type: 'result'; result: AuditResult } | Refusal

const asked = new FieldCheck('invalid_request', 'invalid audit request')
const replied = new FieldCheck('protocol_violation', 'invalid audit reply')

export function encodeAuditRequest({ peerId, answer }: AuditRequest): Uint8Array {
  const message = create(AuditRequestSchema, { peerId: peerId.toMultihash().bytes, answer: toAnswerRecord(answer) })
  return toBinary(AuditRequestSchema, message)
}

/** @throws PotluckError `invalid_request` */
export function decodeAuditRequest(bytes: Uint8Array): AuditRequest {
  let message: AuditRequestMessage
  try {
    message = fromBinary(AuditRequestSchema, bytes, { readUnknownFields: false })
  } catch {
    return asked.fail('frame', 'cannot be decoded')
  }
  return {
    peerId: parsePeerId(asked, message.peerId),
    answer: parseAnswerRecord(asked, asked.present('answer', message.answer))
  }
}

export function encodeAuditReply(reply: AuditReply): Uint8Array {
  if (reply.type === 'error') {
    return toBinary(AuditReplySchema, create(AuditReplySchema, { body: { case: 'error', value: reply } }))
  }
  const { comparable, violations, measured } = reply.result
  const value = {
    comparable,
    violations: [...violations],
    margins: measured.map(({ margin }) => margin),
    gaps: measured.map(({ gap }) => gap)
  }
  return toBinary(AuditReplySchema, create(AuditReplySchema, { body: { case: 'result', value } }))
}

/** @throws PotluckError `protocol_violation` */
export function decodeAuditReply(bytes: Uint8Array): AuditReply {
  let message: AuditReplyMessage
  try {
    message = fromBinary(AuditReplySchema, bytes, { readUnknownFields: false })
  } catch {
    return replied.fail('frame', 'cannot be decoded')
  }
  switch (message.body.case) {
    case 'result':
      return { type: 'result', result: parseResult(message.body.value) }
    case 'error':
      return parseFailure(message.body.value)
    case undefined:
      return replied.fail('frame', 'is empty')
  }
}

function parseResult({ comparable, violations, margins, gaps }: AuditResultMessage): AuditResult {
  replied.count('violations', violations, VIOLATIONS.length)
  replied.count('margins', margins, MAX_ANSWER_TOKENS)
  if (gaps.length !== margins.length) replied.fail('gaps', 'must be one for each margin')
  return {
    comparable,
    violations: violations.map(
      (name) => VIOLATIONS.find((known) => known === name) ?? replied.fail('violations', 'holds one that is not known')
    ),
    measured: margins.map((margin, index) => ({
      margin: replied.number('margins', margin, 0, Infinity),
      gap: replied.number('gaps', gaps[index]!, 0, Infinity)
    }))
  }
}
