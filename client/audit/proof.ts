/**
 * Fraud proofs: signed answers of a node, from which every client with the model can see that the node cheated.
 *
 * The checker believes nothing in a proof except what its own check finds. The accuser chose which answers to show, and
 * can have searched for prompts at which honest machines differ. So a check has two results: `confirmed` assumes that
 * the accuser showed every answer that it audited. `convincing` holds even if the accuser selected the answers.
 */
import type { PeerId } from '@libp2p/interface'
import {
  auditAnswer,
  decodeFraudProof,
  formatDigest,
  isShareable,
  openAnswerRecord,
  PotluckError,
  type Scorer,
  type Violation
} from '@potluck/protocol'

import { answerEvidence, BAN, CERTAIN, countAnswer, newCells, NO_EVIDENCE, withCounted } from '../evidence/index.ts'
import { Reputation, type ReputationStore } from '../reputation/index.ts'
import { PROOF_SELECTION } from './constants.ts'

export interface ProofFinding {
  peerId: PeerId
  /** The model that the node claimed to serve. */
  modelDigest: Uint8Array
  answers: number
  /** Tokens that were measured. */
  tokens: number
  /** Violations of the protocol in any of the answers. A violation is certain. */
  violations: readonly Violation[]
  /** Natural logarithm of the evidence at its peak; infinite for a violation. */
  logEvidence: number
  /** The answers justify a ban if the accuser showed every answer that it audited. */
  confirmed: boolean
  /** The answers justify a ban, whatever other answers the accuser has. */
  convincing: boolean
}

/**
 * Writes a convincing proof to the store. Clients with this store never ask the node again. Returns false for a
 * proof that is not convincing.
 */
export function rememberProof(finding: ProofFinding, store: ReputationStore): boolean {
  const { peerId, modelDigest, logEvidence, convincing } = finding
  if (!convincing) return false
  const proven = { type: 'proven', logEvidence: Math.min(logEvidence, CERTAIN) } as const
  new Reputation({ store }).observe(peerId.toString(), formatDigest(modelDigest), proven)
  return true
}

/** Returns the digest of the model that a proof is about, from its first answer. */
export async function proofModel(bytes: Uint8Array): Promise<Uint8Array> {
  const { peerId, answers } = decodeFraudProof(bytes)
  const [first] = answers
  if (first === undefined) throw new PotluckError('protocol_violation', 'invalid fraud proof: it has no answers')
  return (await openAnswerRecord(first, peerId)).request.modelDigest
}

/**
 * Checks a proof. Uses only its bytes and the model.
 *
 * @throws PotluckError `protocol_violation` for bytes that are not a valid proof, `model_not_found` if the
 *   scorer has another model
 */
export async function checkProof(bytes: Uint8Array, scorer: Scorer, signal?: AbortSignal): Promise<ProofFinding> {
  const { peerId, answers } = decodeFraudProof(bytes)
  const modelDigest = await proofModel(bytes)
  const violations = new Set<Violation>()
  let evidence = NO_EVIDENCE
  let selected = 0
  for (const record of answers) {
    if (!isShareable((await openAnswerRecord(record, peerId)).request, record.opening)) {
      throw new PotluckError('protocol_violation', 'invalid fraud proof: a request is not marked as shareable')
    }
    const result = await auditAnswer(record, peerId, scorer, signal === undefined ? {} : { signal })
    for (const violation of result.violations) violations.add(violation)
    const counted = countAnswer(record, result)
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
