/** Messages of `/potluck/audit/1.0.0`: a node audits an answer of another node that serves the same model. */
import { create, toBinary } from '@bufbuild/protobuf'
import type { PeerId } from '@libp2p/interface'

import { MAX_ANSWER_TOKENS } from '../constants.ts'
import { AuditReplySchema, AuditRequestSchema, type AuditResult as AuditResultMessage } from '../messages/potluck_pb.ts'
import type { TokenMargin } from '../sampler/index.ts'
import { parseAnswerRecord, parsePeerId, toAnswerRecord, type AnswerRecord } from './answer-record.ts'
import { FieldCheck } from './check.ts'
import { parseFingerprints } from './fingerprints.ts'
import { parseMargins, toMargins } from './margins.ts'
import { parseFailure, type ErrorFrame } from './node-frame.ts'

/**
 * A rule that the signed answer violates. An honest node never signs such an answer, whatever its backend. Every peer
 * that has the model can verify the violation.
 *
 * - `prompt`: the prompt's token ids are not those that the model's template and tokenizer give for the request
 * - `continuation`: the prompt or the beginning of the answer does not have the ids in the request, or the first
 *   position is wrong
 * - `usage`: the token counts differ from the numbers of ids
 * - `finish`: the answer continues after its end, or its finish reason is false. For example, the node cut the answer
 *   short but claims `stop`.
 * - `text`: the text, the reasoning or the tool calls do not follow from the token ids, or an id is not in the
 *   vocabulary
 * - `logprobs`: the log-probabilities have a form that no node gives, or most of them are far from the model's
 */
export type Violation = 'prompt' | 'continuation' | 'usage' | 'finish' | 'text' | 'logprobs'

export const VIOLATIONS: readonly Violation[] = ['prompt', 'continuation', 'usage', 'finish', 'text', 'logprobs']

export interface AuditRequest {
  /** The node that signed the receipt. */
  peerId: PeerId
  answer: AnswerRecord
}

export interface AuditResult {
  /** False: the audit says nothing about the node, see `auditAnswer`. */
  comparable: boolean
  violations: readonly Violation[]
  /** One for each token that the node generated. Empty if the answer is not comparable or has violations. */
  measured: readonly TokenMargin[]
  /** What the auditor computes for the same tokens: see `fingerprintsOf`. */
  fingerprints: Uint8Array
}

export type AuditReply = { type: 'result'; result: AuditResult } | ErrorFrame

const requestCheck = new FieldCheck('invalid_request', 'invalid audit request')
const replyCheck = new FieldCheck('protocol_violation', 'invalid audit reply')

export function encodeAuditRequest({ peerId, answer }: AuditRequest): Uint8Array {
  const message = create(AuditRequestSchema, { peerId: peerId.toMultihash().bytes, answer: toAnswerRecord(answer) })
  return toBinary(AuditRequestSchema, message)
}

/** @throws PotluckError `invalid_request` */
export function decodeAuditRequest(bytes: Uint8Array): AuditRequest {
  const message = requestCheck.decode(AuditRequestSchema, bytes, 'frame cannot be decoded')
  return {
    peerId: parsePeerId(requestCheck, message.peerId),
    answer: parseAnswerRecord(requestCheck, requestCheck.present('answer', message.answer))
  }
}

export function encodeAuditReply(reply: AuditReply): Uint8Array {
  if (reply.type === 'error') {
    return toBinary(AuditReplySchema, create(AuditReplySchema, { body: { case: 'error', value: reply } }))
  }
  const { comparable, violations, measured, fingerprints } = reply.result
  const value = {
    comparable,
    violations: [...violations],
    ...toMargins(measured),
    fingerprints
  }
  return toBinary(AuditReplySchema, create(AuditReplySchema, { body: { case: 'result', value } }))
}

/** @throws PotluckError `protocol_violation` */
export function decodeAuditReply(bytes: Uint8Array): AuditReply {
  const message = replyCheck.decode(AuditReplySchema, bytes, 'frame cannot be decoded')
  switch (message.body.case) {
    case 'result':
      return { type: 'result', result: parseResult(message.body.value) }
    case 'error':
      return parseFailure(message.body.value)
    case undefined:
      return replyCheck.fail('frame', 'is empty')
  }
}

function parseResult(message: AuditResultMessage): AuditResult {
  const { comparable, violations, margins } = message
  replyCheck.count('violations', violations, VIOLATIONS.length)
  replyCheck.count('margins', margins, MAX_ANSWER_TOKENS)
  return {
    comparable,
    violations: violations.map(
      (name) => VIOLATIONS.find((known) => known === name) ?? replyCheck.fail('violations', 'has an unknown entry')
    ),
    measured: parseMargins(replyCheck, message),
    fingerprints: parseFingerprints(replyCheck, message.fingerprints, MAX_ANSWER_TOKENS)
  }
}
