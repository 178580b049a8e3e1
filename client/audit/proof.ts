/**
 * Fraud proofs: answers that ban a node, for anybody who has the model.
 *
 * A proof is worth what a check of it gives; nothing in it is believed. The accuser has chosen which
 * answers to show, and may have searched for prompts at which honest machines differ. So a check
 * knows two results: `confirmed` for the evidence as it stands, which is what the accuser may go by
 * that showed all it had; and `convincing` for evidence that stands although it was selected.
 */
import type { PeerId } from '@libp2p/interface'
import {
  auditAnswer,
  decodeFraudProof,
  formatDigest,
  openAnswerRecord,
  PotluckError,
  type Scorer,
  type Violation
} from '@potluck/protocol'

import { countTokens, newCells, withCounted } from './account.ts'
import { Reputation, type ReputationStore } from '../reputation/index.ts'
import { CERTAIN, BAN, PROOF_SELECTION } from './constants.ts'
import { answerEvidence, NO_EVIDENCE } from './evidence.ts'

export interface ProofFinding {
  peerId: PeerId
  /** Of the model that was claimed. */
  modelDigest: Uint8Array
  answers: number
  /** Tokens that were measured. */
  tokens: number
  /** Certain ones, of all answers. */
  violations: readonly Violation[]
  /** Natural logarithm of the evidence, at its height; infinite for a violation. */
  logEvidence: number
  /** It bans, if the accuser showed all that it has. */
  confirmed: boolean
  /** It bans, whatever else the accuser has. */
  convincing: boolean
}

/** Remembers a proof that convinces: clients with this store ask its peer no more. False for one that does not. */
export function rememberProof(finding: ProofFinding, store: ReputationStore): boolean {
  const { peerId, modelDigest, logEvidence, convincing } = finding
  if (!convincing) return false
  const proven = { type: 'proven', logEvidence: Math.min(logEvidence, CERTAIN) } as const
  new Reputation({ store }).observe(peerId.toString(), formatDigest(modelDigest), proven)
  return true
}

/** The model that a proof is about, from its first answer. */
export async function proofModel(bytes: Uint8Array): Promise<Uint8Array> {
  const { peerId, answers } = decodeFraudProof(bytes)
  const [first] = answers
  if (first === undefined) throw new PotluckError('protocol_violation', 'invalid fraud proof: it shows no answer')
  return (await openAnswerRecord(first, peerId)).receipt.modelDigest
}

/**
 * Checks a proof from nothing but its bytes and the model.
 *
 * @throws PotluckError `protocol_violation` for what is no proof, `model_not_found` if the scorer holds another model
 */
export async function checkProof(bytes: Uint8Array, scorer: Scorer, signal?: AbortSignal): Promise<ProofFinding> {
  const { peerId, answers } = decodeFraudProof(bytes)
  const modelDigest = await proofModel(bytes)
  const violations = new Set<Violation>()
  let evidence = NO_EVIDENCE
  let selected = 0
  for (const record of answers) {
    const result = await auditAnswer(record, peerId, scorer, signal === undefined ? {} : { signal })
    for (const violation of result.violations) violations.add(violation)
    const counted = countTokens(record, result.measured)
    selected += Math.max(0, answerEvidence(newCells(evidence, counted)) - Math.log(PROOF_SELECTION))
    evidence = withCounted(evidence, counted)
  }
  const logEvidence = violations.size > 0 ? Infinity : evidence.peak
  return {
    peerId,
    modelDigest,
    answers: answers.length,
    tokens: evidence.tokens,
    violations: [...violations],
    logEvidence,
    confirmed: logEvidence >= Math.log(BAN),
    convincing: violations.size > 0 || selected >= Math.log(BAN)
  }
}
