/**
 * An audit: one prefill of the same model over a prompt and the answer that a node signed for it.
 *
 * First what is certain (see structure.ts), then what is measured: how far each token that the node
 * generated lies from the contract's. What many audits say together is the client's to judge.
 */
import type { PeerId } from '@libp2p/interface'

import { SAMPLING_CONTRACT } from '../constants.ts'
import { PotluckError } from '../errors.ts'
import { shapeOf } from '../shape.ts'
import type { AnswerRecord } from '../wire/answer-record.ts'
import type { AuditResult } from '../wire/audit.ts'
import { measureAnswer } from './measure.ts'
import type { Scorer } from './scorer.ts'
import { openStatement, sameBytes } from './statement.ts'
import { misstatementsOf, violationsOf, type Heard, type Misstatement } from './structure.ts'

export interface Audit extends AuditResult {
  /** What the node told this client beside what it signed. */
  misstatements: readonly Misstatement[]
}

export interface AuditOptions {
  /** What only the client that asked knows. */
  heard?: Heard
  signal?: AbortSignal
}

/**
 * @param peerId who signed the receipt
 * @throws PotluckError `model_not_found` if the scorer holds another model; of `openStatement` for a
 *   record that is none; the engine's own
 */
export async function auditAnswer(
  record: AnswerRecord,
  peerId: PeerId,
  scorer: Scorer,
  { heard, signal }: AuditOptions = {}
): Promise<Audit> {
  const statement = await openStatement(record, peerId)
  const { request, receipt, promptTokens, answerTokens } = statement
  if (!sameBytes(receipt.modelDigest, scorer.model.digest)) {
    throw new PotluckError('model_not_found', 'the answer is of another model')
  }
  const nothing = { comparable: true, violations: [], misstatements: [], measured: [] }
  if (receipt.contract !== SAMPLING_CONTRACT) return { ...nothing, comparable: false }

  const rendered = await scorer.tokenize(request.input, signal)
  const shape = shapeOf(request)
  const reading = await scorer.read({ answerTokens, stop: request.stop, shape }, signal)
  const violations = violationsOf(statement, rendered, reading)
  const misstatements = heard === undefined ? [] : misstatementsOf(statement, reading, heard)
  const first = receipt.firstPosition
  if (violations.length > 0 || first === answerTokens.length) return { ...nothing, violations, misstatements }

  const scores = await scorer.score({ promptTokens, answerTokens, first, shape }, signal)
  return { ...nothing, misstatements, measured: measureAnswer(scores, request.sampling, answerTokens, first) }
}
