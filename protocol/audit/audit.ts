/**
 * Audits one answer that a node signed. An audit takes one prefill of the same model over the prompt and the answer.
 *
 * The audit first checks rules that every honest node keeps (see structure.ts). It then measures how far each token
 * that the node generated is from the token that the sampling contract gives. The client decides from the results of
 * many audits whether the node is honest.
 *
 * An audit judges only what the node generated and signed. It is not comparable, and says nothing about the node, if
 * - the receipt has another version of the sampling contract,
 * - the prompt differs and the receipt has another version of the rendering, or
 * - the request continues an answer that has already ended or that breaks the grammar: another node, or the client,
 *   wrote these tokens. An honest node refuses such a request.
 */
import type { PeerId } from '@libp2p/interface'
import { equals } from 'uint8arrays/equals'

import { RENDERING, SAMPLING_CONTRACT } from '../constants.ts'
import { PotluckError } from '../errors.ts'
import { outputConstraintOf } from '../output-constraint.ts'
import type { AnswerRecord } from '../wire/answer-record.ts'
import type { AuditResult } from '../wire/audit.ts'
import { measureAnswer } from './measure.ts'
import type { Scorer } from './scorer.ts'
import { misstatementsOf, sameTokens, violationsOf, type Misstatement, type ReceivedAnswer } from './structure.ts'
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
  if (!equals(request.modelDigest, scorer.model.digest)) {
    throw new PotluckError('model_not_found', 'the answer is from another model')
  }
  const clean = { comparable: true, violations: [], misstatements: [], measured: [] }
  const incomparable = { ...clean, comparable: false }
  if ('contract' in receipt && receipt.contract !== SAMPLING_CONTRACT) return incomparable

  const rendered = await scorer.tokenize(request.input, signal)
  if (receipt.rendering !== RENDERING && !sameTokens(promptTokens, rendered)) return incomparable
  const constraint = outputConstraintOf(request)
  if (request.continuation !== undefined) {
    const earlier = { answerTokens: request.continuation.answerTokens, stop: request.stop, constraint }
    const { end, ungrammatical } = await scorer.read(earlier, signal)
    const continued = answerTokens.length > earlier.answerTokens.length
    if (ungrammatical || (end !== undefined && (continued || end < earlier.answerTokens.length))) return incomparable
  }
  const parsed = await scorer.read({ answerTokens, stop: request.stop, constraint }, signal)
  const violations = violationsOf(answer, rendered, parsed)
  const misstatements = received === undefined ? [] : misstatementsOf(answer, parsed, received)
  const first = receipt.firstPosition
  if (violations.length > 0 || first === answerTokens.length) return { ...clean, violations, misstatements }

  const scores = await scorer.score({ promptTokens, answerTokens, first, constraint }, signal)
  return { ...clean, misstatements, measured: measureAnswer(scores, request.sampling, answerTokens, first) }
}
