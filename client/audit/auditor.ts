/** The user's own auditor: measures answers for this client only, with an engine or a node of the same user. */
import {
  auditAnswer,
  formatDigest,
  measureAnswer,
  openAnswerRecord,
  outputConstraintOf,
  PotluckError,
  type Audit,
  type AuditRequest,
  type GenerateRequest,
  type ReceivedAnswer,
  type Scorer,
  type TokenMargin
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
  /**
   * Measures the tokens that a continuation asks to check. No node signed them, so the result is for this client only.
   * Absent: the auditor audits only what is signed.
   */
  measure?: (request: GenerateRequest, signal: AbortSignal) => Promise<readonly TokenMargin[]>
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
    },
    measure: async (request, signal) => {
      const { continuation, modelDigest, sampling } = request
      const scorer = byDigest.get(formatDigest(modelDigest))
      if (scorer === undefined) throw new PotluckError('model_not_found', 'no engine has the model of the answer')
      if (continuation?.checkFrom === undefined) return []
      const { promptTokens, answerTokens, checkFrom: first } = continuation
      const constraint = outputConstraintOf(request)
      const scores = await scorer.score({ promptTokens, answerTokens, first, constraint }, signal)
      return measureAnswer(scores, sampling, answerTokens, first)
    }
  }
}
