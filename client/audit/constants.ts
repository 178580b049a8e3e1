/**
 * Every number of the audits, with its reason. The numbers of the statistical test are in
 * `client/evidence/constants.ts`.
 */

/**
 * The price of every answer in a fraud proof, because the accuser chose which answers to show. An accuser
 * that picks from N answers of an honest peer reaches `BAN` with a probability below e^(N / 1000) / 1000.
 */
export const PROOF_SELECTION = 1000

/** Auditors that must agree on a result. */
export const QUORUM = 2
/** Other nodes to ask about one answer, until a quorum agrees. More than three are needed only if some lie. */
export const MAX_AUDITORS = 5
/** The most by which the margins of two honest auditors differ, in logits: twice the largest difference ever measured. */
export const AUDITORS_DIFFER = 0.5
/** Share of the tokens of an answer at which two auditors may differ by more and still agree. */
export const MAX_DISPUTED_SHARE = 0.01
/** Timeout for sending an answer to an auditor: the same as for a request. Milliseconds. */
export const AUDIT_REQUEST_TIMEOUT_MS = 10_000
/** Timeout for the reply: the auditor queues the job, then evaluates the prompt and the answer on a CPU. Milliseconds. */
export const AUDIT_REPLY_TIMEOUT_MS = 60_000

/** Answers that can wait for their audit. The budget rarely allows more audits than this. */
export const MAX_QUEUED_AUDITS = 32
/** Mean time between two probes of a quarantined node: like its ordinary callers. Milliseconds. */
export const PROBE_GAP_MS = 20_000
