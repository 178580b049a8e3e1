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
import { areFromAnotherModel, compareLogprobs, entriesOf, misstatementsOf, type Misstatement } from './logprobs.ts'
import { measureAnswer } from './measure.ts'
import type { Scorer } from './scorer.ts'
import { violationsOf } from './structure.ts'
import { openAnswerRecord } from './verified-answer.ts'

export interface Audit extends AuditResult {
  /** Statements that are false for this auditor, but no proof for others. */
  misstatements: readonly Misstatement[]
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
  scorer: Omit<Scorer, 'embed'>,
  { signal }: { signal?: AbortSignal } = {}
): Promise<Audit> {
  const answer = await openAnswerRecord(record, peerId)
  const { request, receipt, promptTokens, answerTokens, logprobs = [] } = answer
  if (!equals(receipt.modelDigest, scorer.model.digest)) {
    throw new PotluckError('model_not_found', 'the answer is from another model')
  }
  const clean = { comparable: true, violations: [], misstatements: [], measured: [] }
  if (receipt.contract !== SAMPLING_CONTRACT) return { ...clean, comparable: false }

  // No model can evaluate an unknown id. Without this check a node could avoid every audit by sending one.
  const unknown = (token: number): boolean => token >= scorer.model.vocabularySize
  if (promptTokens.some(unknown)) return { ...clean, violations: ['prompt'] }
  if (answerTokens.some(unknown)) return { ...clean, violations: ['text'] }

  const { input, stop, sampling } = request
  const first = receipt.firstPosition
  const constraint = outputConstraintOf(request)
  const rendered = await scorer.tokenize(input, signal)
  const spell = entriesOf(logprobs).map(({ token }) => token)
  const reading = { promptTokens, seed: sampling.seed, answerTokens, stop, constraint }
  const parsed = await scorer.read({ ...reading, first, spell }, signal)
  const whole = first === 0 ? parsed : await scorer.read(reading, signal)
  const violations = violationsOf(answer, rendered, parsed, whole)
  if (violations.length > 0 || first === answerTokens.length) return { ...clean, violations }

  const normaliser = logprobs.length > 0
  const scores = await scorer.score({ promptTokens, answerTokens, first, constraint, normaliser }, signal)
  const errors = compareLogprobs(logprobs, scores)
  if (areFromAnotherModel(errors)) return { ...clean, violations: ['logprobs'] }
  return {
    ...clean,
    misstatements: misstatementsOf(errors),
    measured: measureAnswer(scores, sampling, answerTokens, first)
  }
}
