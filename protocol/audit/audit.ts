/**
 * Audits one answer that a node signed. An audit takes one prefill of the same model over the prompt and the answer.
 *
 * The audit first checks rules that every honest node keeps (see structure.ts). It then measures how far each token
 * that the node generated is from the token that the sampling contract gives, and computes its own fingerprint of each
 * position. The client decides from the results of many audits whether the node is honest.
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
import { fingerprintsOf } from '../sampler/fingerprint.ts'
import type { AnswerRecord } from '../wire/answer-record.ts'
import type { AuditResult } from '../wire/audit.ts'
import { areFromAnotherModel, compareLogprobs, entriesOf, misstatementsOf, type Misstatement } from './logprobs.ts'
import { measureInSlices } from './measure.ts'
import type { ParsedAnswer, Scorer } from './scorer.ts'
import { sameTokens, violationsOf } from './structure.ts'
import { openAnswerRecord } from '../records/verified-answer.ts'

export interface Audit extends AuditResult {
  /** Statements that are false for this auditor, but no proof for others. */
  misstatements: readonly Misstatement[]
  /** The noise of the model on the auditor's machine, see `Scorer`. Undefined: not measured. */
  noise?: number
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
  if (!equals(request.modelDigest, scorer.model.digest)) {
    throw new PotluckError('model_not_found', 'the answer is from another model')
  }
  const nothing = { measured: [], fingerprints: new Uint8Array() }
  const clean = { comparable: true, violations: [], misstatements: [], ...nothing }
  const incomparable = { ...clean, comparable: false }
  if ('contract' in receipt && receipt.contract !== SAMPLING_CONTRACT) return incomparable

  // No model can evaluate an unknown id. Without this check a node could avoid every audit by sending one.
  const unknown = (token: number): boolean => token >= scorer.model.vocabularySize
  if (promptTokens.some(unknown)) return { ...clean, violations: ['prompt'] }
  if (answerTokens.some(unknown)) return { ...clean, violations: ['text'] }

  const { input, stop, sampling, continuation } = request
  const rendered = await scorer.tokenize(input, signal)
  if (receipt.rendering !== RENDERING && !sameTokens(promptTokens, rendered)) return incomparable
  const constraint = outputConstraintOf(request)
  const reading = { promptTokens, seed: sampling.seed, stop, constraint }
  let before: ParsedAnswer | undefined
  if (continuation !== undefined) {
    const earlier = continuation.answerTokens
    before = await scorer.read({ ...reading, answerTokens: earlier, open: true }, signal)
    const { end, ungrammatical } = before
    const continued = answerTokens.length > earlier.length
    if (ungrammatical || (end !== undefined && (continued || end < earlier.length))) return incomparable
  }
  const first = receipt.firstPosition
  const spell = entriesOf(logprobs).map(({ token }) => token)
  const parsed = await scorer.read({ ...reading, answerTokens, first, spell }, signal)
  const violations = violationsOf(answer, rendered, parsed, before)
  if (violations.length > 0 || first === answerTokens.length) return { ...clean, violations }

  const normaliser = logprobs.length > 0
  const scores = await scorer.score({ promptTokens, answerTokens, first, constraint, normaliser }, signal)
  const noise = await scorer.noise?.(signal)
  const errors = compareLogprobs(logprobs, scores)
  if (areFromAnotherModel(errors)) return { ...clean, violations: ['logprobs'] }
  return {
    ...clean,
    misstatements: misstatementsOf(errors),
    measured: await measureInSlices(scores, sampling, answerTokens, first),
    fingerprints: fingerprintsOf(scores),
    ...(noise === undefined ? {} : { noise })
  }
}
