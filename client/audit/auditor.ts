/** Who measures answers for this client alone: an engine, or a node, of the user's own. */
import {
  auditAnswer,
  formatDigest,
  openAnswerRecord,
  PotluckError,
  type Audit,
  type AuditRequest,
  type ReceivedAnswer,
  type Scorer
} from '@potluck/protocol'

export interface AuditJob extends AuditRequest {
  /** What only the client that asked knows. */
  heard?: ReceivedAnswer
}

export interface Auditor {
  /** @param digest `sha256:…` of a model */
  holds: (digest: string) => boolean
  /** @throws PotluckError of `auditAnswer`, or whatever keeps it from measuring */
  audit: (job: AuditJob, signal: AbortSignal) => Promise<Audit>
}

/** An auditor that measures with engines of this process. */
export function auditorOf(...scorers: readonly Scorer[]): Auditor {
  const byDigest = new Map(scorers.map((scorer) => [formatDigest(scorer.model.digest), scorer]))
  return {
    holds: (digest) => byDigest.has(digest),
    audit: async ({ peerId, answer, heard }, signal) => {
      const { receipt } = await openAnswerRecord(answer, peerId)
      const scorer = byDigest.get(formatDigest(receipt.modelDigest))
      if (scorer === undefined) throw new PotluckError('model_not_found', 'no engine holds the model of the answer')
      return await auditAnswer(answer, peerId, scorer, { signal, ...(heard === undefined ? {} : { received: heard }) })
    }
  }
}
