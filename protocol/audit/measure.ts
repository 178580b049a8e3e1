import type { SamplingParameters } from '../generation.ts'
import { sampleToken, tokenMargin, type TokenCandidates, type TokenMargin } from '../sampler/index.ts'

/**
 * Returns the margin and the gap (see `tokenMargin`) of each token from position `first` on.
 *
 * @param scores the auditor's own candidates for each of these positions
 * @param answer the whole answer, because penalties count its earlier tokens
 * @param first the position of `scores[0]`
 */
export function measureAnswer(
  scores: readonly TokenCandidates[],
  sampling: SamplingParameters,
  answer: readonly number[],
  first = 0
): TokenMargin[] {
  const counts = new Map<number, number>()
  const measured: TokenMargin[] = []
  answer.forEach((token, position) => {
    if (position >= first) measured.push(tokenMargin(scores[position - first]!, sampling, position, counts, token))
    counts.set(token, (counts.get(token) ?? 0) + 1)
  })
  return measured
}

/**
 * As `measureAnswer`, for the beginning of an answer that a node continues. If the contract gives every token, the gaps
 * say nothing, and this returns 0 for each. To measure them takes most of the time, and the caller waits for it.
 */
export function measureBeginning(
  scores: readonly TokenCandidates[],
  sampling: SamplingParameters,
  answer: readonly number[],
  first: number
): TokenMargin[] {
  const counts = new Map<number, number>()
  const exact = answer.every((token, position) => {
    const given = position < first || sampleToken(scores[position - first]!, sampling, position, counts) === token
    counts.set(token, (counts.get(token) ?? 0) + 1)
    return given
  })
  return exact ? scores.map(() => ({ margin: 0, gap: 0 })) : measureAnswer(scores, sampling, answer, first)
}
