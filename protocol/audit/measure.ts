import type { SamplingParameters } from '../generation.ts'
import { tokenMargin, type TokenCandidates, type TokenMargin } from '../sampler/index.ts'

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
