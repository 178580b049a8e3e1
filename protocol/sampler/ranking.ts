/** Steps 2 and 3 of sampling contract 1: ranks and filters the candidates, for the sampler and for audits. */
import type { SamplingParameters } from '../generation.ts'

/** Number of candidates that the contract uses. */
export const CANDIDATES = 64

/**
 * Number of candidates that an audit sees. A machine with other noise has other tokens at the edge of the 64
 * candidates: noise of 0.2 moves the edge by about ten places.
 */
export const AUDIT_CANDIDATES = 96

/** The tokens with the highest raw logits at one position, best first. Of equal logits, the lower token id is first. */
export interface TokenCandidates {
  tokens: Uint32Array
  logits: Float32Array
}

/** Ranked candidates. The next call of `rankTokens` overwrites them. */
export interface Ranking {
  /** Number of candidates. */
  size: number
  /** The filters keep the first `kept` candidates, at least 1. */
  kept: number
  /** Best first. */
  tokens: Uint32Array
  /** Logits with bias and penalties, in the order of `tokens`. */
  logits: Float64Array
}

// All calls share these arrays: sampling is synchronous, and allocating for every token is slower than sampling.
const ranking: Ranking = {
  size: 0,
  kept: 0,
  tokens: new Uint32Array(CANDIDATES),
  logits: new Float64Array(CANDIDATES)
}
const weights = new Float64Array(CANDIDATES)

/**
 * Applies bias, penalties and filters.
 *
 * @param candidates at least 1; only the first 64 count. There are fewer only if the vocabulary or a grammar allows
 *   fewer
 * @param counts how often each token occurs in the answer so far
 * @throws RangeError if there are no candidates
 */
export function rankTokens(
  candidates: TokenCandidates,
  parameters: SamplingParameters,
  counts: ReadonlyMap<number, number>
): Readonly<Ranking> {
  ranking.size = Math.min(candidates.tokens.length, CANDIDATES)
  if (ranking.size === 0) throw new RangeError('there are no candidates to sample from')
  adjust(candidates, parameters, counts)
  if (parameters.temperature === 0) ranking.kept = 1
  else filter(parameters)
  return ranking
}

function adjust(
  candidates: TokenCandidates,
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
    // Insertion sort: without bias and penalties, each candidate is already in its place.
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

  // The first weight is 1. Both filters use only ratios of probabilities, so the softmax needs no denominator.
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
