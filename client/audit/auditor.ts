/** The user's own auditor: measures answers for this client only, with an engine or a node of the same user. */
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
  /** What the node sent but did not sign. Only the client that received it knows it. */
  received?: ReceivedAnswer
}

export interface Auditor {
  /** @param digest `sha256:…` of a model */
  holds: (digest: string) => boolean
  /** @throws PotluckError from `auditAnswer`, or the error of the engine or node that cannot measure */
  audit: (job: AuditJob, signal: AbortSignal) => Promise<Audit>
}

/** Returns an auditor that measures with engines of this process. */
export function auditorOf(...scorers: readonly Scorer[]): Auditor {
  const byDigest = new Map(scorers.map((scorer) => [formatDigest(scorer.model.digest), scorer]))
  return {
    holds: (digest) => byDigest.has(digest),
    audit: async ({ peerId, answer, received }, signal) => {
      const { request } = await openAnswerRecord(answer, peerId)
      const scorer = byDigest.get(formatDigest(request.modelDigest))
      if (scorer === undefined) throw new PotluckError('model_not_found', 'no engine has the model of the answer')
      return await auditAnswer(answer, peerId, scorer, { signal, ...(received === undefined ? {} : { received }) })
    }
  }
}
