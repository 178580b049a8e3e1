/**
 * @module client/audit
 *
 * Whether a node served the model that it said: from an answer and its signed receipt, with one
 * prefill of the same file. `auditAnswer` of the protocol measures one answer, `withAudit` adds it to the evidence against
 * its peer, `standing` says what follows; `checkProof` does it all for a stranger's accusation.
 */
export { withAudit } from './account.ts'
export type { Judged, Proof } from './auditing.ts'
export { auditorOf, type Auditor, type AuditJob } from './auditor.ts'
export { BAN, QUARANTINE } from './constants.ts'
export { logEvidence, NO_EVIDENCE, standing, type Evidence } from './evidence.ts'
export { auditByOthers, type JuryContext } from './jury.ts'
export { checkProof, proofModel, rememberProof, type ProofFinding } from './proof.ts'
