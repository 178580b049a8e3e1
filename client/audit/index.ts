/**
 * @module client/audit
 *
 * Checks whether a node served the model that it claimed, from an answer and its signed receipt, with one
 * prefill of the same file. `auditAnswer` of the protocol measures one answer. `withAudit` adds it to the
 * evidence against the node, and `verdict` compares the evidence with the limits. `checkProof` does all of
 * this for a fraud proof from another client.
 */
export {
  BAN,
  chanceOfMistake,
  logEvidence,
  NO_EVIDENCE,
  QUARANTINE,
  verdict,
  withAudit,
  type Evidence,
  type Verdict
} from '../evidence/index.ts'
export { judgeAnswer, type AnswerJudgement } from './judge.ts'
export type { Proof } from './kept-proofs.ts'
export type { Judged } from './results.ts'
export { auditorOf, type Auditor } from './auditor.ts'
export { describeViolation } from './violations.ts'
export { checkProof, proofModel, rememberProof, type ProofFinding } from './proof.ts'
