/** Every number of the audit's policy, with its reason. What was measured stands in `honest.ts`. */

/**
 * Evidence at which a peer gets no more requests. By Ville's inequality an honest peer ever gets
 * there with a probability below 1/30 in its whole life, and much below it in practice: the
 * calibration allows honest peers more than any was seen to need.
 */
export const QUARANTINE = 30
/** Evidence at which a key is banned for good: below 1/1000 for an honest peer, in its whole life. */
export const BAN = 1000

/**
 * What an accuser has to pay for every answer in a proof: it chose which to show. Somebody who picks
 * from N answers of an honest peer reaches `BAN` with a probability below e^(N / 1000) / 1000.
 */
export const PROOF_SELECTION = 1000

/** How a cheat's scores may differ from the model's. */
export interface Alternative {
  /** Logistic noise on every score, in logits. */
  scale: number
  /** Share of the positions that have it. */
  share: number
}

/**
 * The alternatives that are tested for. On crumb, 5 bits a weight act like the first, 4 bits like the
 * second, 3 bits and a model without one of its layers like the third, half of the prompt like the last.
 */
export const ALTERNATIVES: readonly Alternative[] = [
  { scale: 0.15, share: 0.6 },
  { scale: 0.3, share: 0.7 },
  { scale: 1, share: 0.8 },
  { scale: 1, share: 0.2 }
]
/** Of the tokens that a cheat gets wrong, those beyond the runner-up. On crumb 0.1 to 0.3. */
export const BEYOND_RUNNER_UP = 0.15

/**
 * Shares of cheated answers that are tested for, with what is staked on each: together 1. A cheat at
 * 10 % earns little and is still found.
 */
export const CHEATED_SHARES: ReadonlyArray<{ share: number; stake: number }> = [
  { share: 1, stake: 0.6 },
  { share: 0.3, stake: 0.3 },
  { share: 0.1, stake: 0.1 }
]

/** Mismatches remembered, so that one that comes again counts once. A peer is banned long before. */
export const MAX_REMEMBERED_MISMATCHES = 1024

/** Strangers asked about one answer, until two agree. More than three are needed only where some lie. */
export const MAX_AUDITORS = 5
/** Two honest auditors measure a margin alike to within this, in logits: twice the most that was ever seen. */
export const AUDITORS_DIFFER = 0.5
/** Share of an answer's tokens at which two auditors that agree may still differ by more. */
export const MAX_DISPUTED_SHARE = 0.01
/** Writing an answer to an auditor: as a request. Milliseconds. */
export const AUDIT_REQUEST_TIMEOUT_MS = 10_000
/** An auditor queues, and evaluates the prompt and the answer on a CPU. Milliseconds. */
export const AUDIT_REPLY_TIMEOUT_MS = 60_000

/** Natural logarithm of the evidence of a violation, which is certain; finite, so that a store can hold it. */
export const CERTAIN = 700
/** Other nodes of a model that can judge: two have to agree. */
export const LEAST_JURY = 2
/** Answers that wait for their audit: more come than can be audited only where the budget is large. */
export const MAX_QUEUED_AUDITS = 32
/** Mean time between probes of a node that was quarantined: as its ordinary callers come. Milliseconds. */
export const PROBE_GAP_MS = 20_000
