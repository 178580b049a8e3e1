/** The user's own auditor: measures answers for this client only, with an engine or a node of the same user. */
import {
  auditAnswer,
  formatDigest,
  openAnswerRecord,
  PotluckError,
  type Audit,
  type AuditRequest,
  type Scorer
} from '@potluck/protocol'

export interface Auditor {
  /** @param digest `sha256:…` of a model */
  holds: (digest: string) => boolean
  /** @throws PotluckError from `auditAnswer`, or the error of the engine or node that cannot measure */
  audit: (job: AuditRequest, signal: AbortSignal) => Promise<Audit>
}

/** Returns an auditor that measures with engines of this process. */
export function auditorOf(...scorers: readonly Scorer[]): Auditor {
  const byDigest = new Map(scorers.map((scorer) => [formatDigest(scorer.model.digest), scorer]))
  return {
    holds: (digest) => byDigest.has(digest),
    audit: async ({ peerId, answer }, signal) => {
      const { receipt } = await openAnswerRecord(answer, peerId)
      const scorer = byDigest.get(formatDigest(receipt.modelDigest))
      if (scorer === undefined) throw new PotluckError('model_not_found', 'no engine has the model of the answer')
      return await auditAnswer(answer, peerId, scorer, { signal })
    }
  }
}
