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
  type Embeddings,
  type GenerateRequest,
  type Scorer,
  type TokenMargin
} from '@potluck/protocol'

export interface Auditor {
  /** @param digest `sha256:…` of a model */
  holds: (digest: string) => boolean
  /** @throws PotluckError from `auditAnswer`, or the error of the engine or node that cannot measure */
  audit: (job: AuditRequest, signal: AbortSignal) => Promise<Audit>
  /**
   * Measures the tokens that a continuation asks to check. No node signed them, so the result is for this client only.
   * Absent: the auditor audits only what is signed.
   */
  measure?: (request: GenerateRequest, signal: AbortSignal) => Promise<readonly TokenMargin[]>
  /**
   * Computes vectors with a model that it holds, to check those of a node. Absent: the user's own node computes them.
   */
  embed?: (digest: string, texts: readonly string[], signal: AbortSignal) => Promise<Embeddings>
}

/** Returns an auditor that measures with engines of this process. */
export function auditorOf(...scorers: readonly Scorer[]): Auditor {
  const byDigest = new Map(scorers.map((scorer) => [formatDigest(scorer.model.digest), scorer]))
  const scorerOf = (digest: string): Scorer => {
    const scorer = byDigest.get(digest)
    if (scorer === undefined) throw new PotluckError('model_not_found', 'no engine has the model')
    return scorer
  }
  return {
    holds: (digest) => byDigest.has(digest),
    embed: async (digest, texts, signal) => await scorerOf(digest).embed(texts, signal),
    audit: async ({ peerId, answer }, signal) => {
      const { request } = await openAnswerRecord(answer, peerId)
      return await auditAnswer(answer, peerId, scorerOf(formatDigest(request.modelDigest)), { signal })
    },
    measure: async (request, signal) => {
      const { continuation, modelDigest, sampling } = request
      const scorer = scorerOf(formatDigest(modelDigest))
      if (continuation?.checkFrom === undefined) return []
      const { promptTokens, answerTokens, checkFrom: first } = continuation
      const constraint = outputConstraintOf(request)
      const scores = await scorer.score({ promptTokens, answerTokens, first, constraint, normaliser: false }, signal)
      return measureAnswer(scores, sampling, answerTokens, first)
    }
  }
}
