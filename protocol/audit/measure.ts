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
  return [...measureEach(scores, sampling, answer, first)]
}

/**
 * At a higher temperature the tokens say nothing to an audit. Almost all 64 candidates are then equally likely, so that
 * rare tokens decide. Their logits differ most between honest machines, and can fall below all that an auditor sees.
 */
const MOST_TEMPERATURE = 2

/**
 * As `measureAnswer`, for an audit. Lets other work of the process run after every `SLICE_TOKENS`. At temperatures
 * above `MOST_TEMPERATURE`, every gap is infinite.
 */
export async function measureInSlices(
  scores: readonly TokenCandidates[],
  sampling: SamplingParameters,
  answer: readonly number[],
  first = 0
): Promise<TokenMargin[]> {
  if (sampling.temperature > MOST_TEMPERATURE) return scores.map(() => ({ margin: 0, gap: Infinity }))
  const measured: TokenMargin[] = []
  for (const margin of measureEach(scores, sampling, answer, first)) {
    measured.push(margin)
    if (measured.length % SLICE_TOKENS === 0) await new Promise((resolve) => setTimeout(resolve))
  }
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

/** Tokens that are measured without a pause. They take about 5 ms. */
const SLICE_TOKENS = 1_024

function* measureEach(
  scores: readonly TokenCandidates[],
  sampling: SamplingParameters,
  answer: readonly number[],
  first: number
): Generator<TokenMargin> {
  const counts = new Map<number, number>()
  for (const [position, token] of answer.entries()) {
    if (position >= first) yield tokenMargin(scores[position - first]!, sampling, position, counts, token)
    counts.set(token, (counts.get(token) ?? 0) + 1)
  }
}
