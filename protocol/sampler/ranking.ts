/** Steps 2 and 3 of sampling contract 1: what the sampler draws from, and the auditor measures against. */
import type { SamplingParameters } from '../generation.ts'

/** How many candidates the contract looks at. */
export const CANDIDATES = 64

/** The highest raw logits at one position, best first, ties to the lower token id. */
export interface Candidates {
  tokens: Uint32Array
  logits: Float32Array
}

/** Valid until the next ranking: the arrays are reused. */
export interface Ranking {
  /** Candidates that there are. */
  size: number
  /** Of them, the prefix that the filters keep; at least 1. */
  kept: number
  /** Best first. */
  tokens: Uint32Array
  /** With bias and penalties, in the order of `tokens`. */
  logits: Float64Array
}

// One call uses it at a time: sampling is synchronous, and allocating for every token costs more than sampling.
const ranking: Ranking = {
  size: 0,
  kept: 0,
  tokens: new Uint32Array(CANDIDATES),
  logits: new Float64Array(CANDIDATES)
}
const weights = new Float64Array(CANDIDATES)

/**
 * Bias, penalties and filters.
 *
 * @param candidates 1 to 64 of them; fewer where the vocabulary or a grammar allows no more
 * @param counts how often each token stands in the answer so far
 * @throws RangeError without candidates
 */
export function rank(
  candidates: Candidates,
  parameters: SamplingParameters,
  counts: ReadonlyMap<number, number>
): Readonly<Ranking> {
  ranking.size = Math.min(candidates.tokens.length, CANDIDATES)
  if (ranking.size === 0) throw new RangeError('no candidate to sample from')
  adjust(candidates, parameters, counts)
  if (parameters.temperature === 0) ranking.kept = 1
  else filter(parameters)
  return ranking
}

function adjust(
  candidates: Candidates,
  { logitBias, presencePenalty, frequencyPenalty }: SamplingParameters,
  counts: ReadonlyMap<number, number>
): void {
  const { size, tokens, logits } = ranking
  const penalised = counts.size > 0 && (presencePenalty !== 0 || frequencyPenalty !== 0)
  for (let index = 0; index < size; index++) {
    const token = candidates.tokens[index]!
    let logit: number = candidates.logits[index]!
    if (logitBias.size > 0) logit += logitBias.get(token) ?? 0
    if (penalised) {
      const count = counts.get(token)
      if (count !== undefined) logit -= presencePenalty + count * frequencyPenalty
    }
    // Insertion keeps the order: without bias and penalties each candidate is in its place already.
    let place = index
    while (place > 0 && comesBefore(logit, token, logits[place - 1]!, tokens[place - 1]!)) {
      tokens[place] = tokens[place - 1]!
      logits[place] = logits[place - 1]!
      place--
    }
    tokens[place] = token
    logits[place] = logit
  }
}

function comesBefore(logit: number, token: number, otherLogit: number, otherToken: number): boolean {
  return logit > otherLogit || (logit === otherLogit && token < otherToken)
}

function filter({ temperature, topK, minP, topP }: SamplingParameters): void {
  const { size, logits } = ranking
  const most = topK > 0 ? Math.min(topK, size) : size
  ranking.kept = most
  if (minP <= 0 && topP >= 1) return

  // Weights relative to the first: the softmax's denominator cancels out of both filters.
  let weighted = 0
  let mass = 0
  for (; weighted < most; weighted++) {
    const weight = Math.exp((logits[weighted]! - logits[0]!) / temperature)
    if (weight < minP && weighted > 0) break
    weights[weighted] = weight
    mass += weight
  }
  ranking.kept = weighted
  if (topP >= 1) return

  let cumulative = 0
  for (let index = 0; index < weighted; index++) {
    cumulative += weights[index]!
    if (cumulative >= topP * mass) {
      ranking.kept = index + 1
      return
    }
  }
}
