import type { SamplingParameters } from '../generation.ts'
import { tokenMargin, type Candidates, type TokenMargin } from '../sampler/index.ts'

/**
 * Margin and gap of each token from `first` on.
 *
 * @param answer the whole answer: penalties count what came before
 * @param first the position that `scores` begin at
 */
export function measureAnswer(
  scores: readonly Candidates[],
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
