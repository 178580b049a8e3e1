/**
 * Audits one answer that a node signed. An audit takes one prefill of the same model over the prompt and the answer.
 *
 * The audit first checks rules that every honest node keeps (see structure.ts). It then measures how far each token
 * that the node generated is from the token that the sampling contract gives. The client decides from the results of
 * many audits whether the node is honest.
 */
import type { PeerId } from '@libp2p/interface'
import { equals } from 'uint8arrays/equals'

import { SAMPLING_CONTRACT } from '../constants.ts'
import { PotluckError } from '../errors.ts'
import { outputConstraintOf } from '../output-constraint.ts'
import type { AnswerRecord } from '../wire/answer-record.ts'
import type { AuditResult } from '../wire/audit.ts'
import { measureInSlices } from './measure.ts'
import type { Scorer } from './scorer.ts'
import { misstatementsOf, violationsOf, type Misstatement, type ReceivedAnswer } from './structure.ts'
import { openAnswerRecord } from './verified-answer.ts'

export interface Audit extends AuditResult {
  /** Unsigned statements of the node to this client that are false. */
  misstatements: readonly Misstatement[]
}

export interface AuditOptions {
  /** What the node sent without a signature. Only the client that made the request knows it. */
  received?: ReceivedAnswer
  signal?: AbortSignal
}

/**
 * Audits one answer.
 *
 * @param peerId the node that signed the receipt
 * @throws PotluckError `model_not_found` if the scorer has another model; the errors of `openAnswerRecord` if the
 *   record is not valid; the errors of the scorer
 */
export async function auditAnswer(
  record: AnswerRecord,
  peerId: PeerId,
  scorer: Scorer,
  { received, signal }: AuditOptions = {}
): Promise<Audit> {
  const answer = await openAnswerRecord(record, peerId)
  const { request, receipt, promptTokens, answerTokens } = answer
  if (!equals(receipt.modelDigest, scorer.model.digest)) {
    throw new PotluckError('model_not_found', 'the answer is from another model')
  }
  const clean = { comparable: true, violations: [], misstatements: [], measured: [] }
  if (receipt.contract !== SAMPLING_CONTRACT) return { ...clean, comparable: false }

  const rendered = await scorer.tokenize(request.input, signal)
  const constraint = outputConstraintOf(request)
  const parsed = await scorer.read({ answerTokens, stop: request.stop, constraint }, signal)
  const violations = violationsOf(answer, rendered, parsed)
  const misstatements = received === undefined ? [] : misstatementsOf(answer, parsed, received)
  const first = receipt.firstPosition
  if (violations.length > 0 || first === answerTokens.length) return { ...clean, violations, misstatements }

  const scores = await scorer.score({ promptTokens, answerTokens, first, constraint }, signal)
  return { ...clean, misstatements, measured: await measureInSlices(scores, request.sampling, answerTokens, first) }
}
