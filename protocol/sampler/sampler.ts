/**
 * Sampling contract, version 1: raw logits to a token, the same in node and auditor.
 *
 * 1. The candidates are the 64 highest raw logits, ties to the lower token id.
 * 2. `logitBias` is added; the presence penalty is subtracted once, the frequency penalty as often
 *    as the answer so far holds the token. All in float64. The order is made anew, by the same rule.
 * 3. Temperature 0 takes the first. Otherwise softmax of logit / temperature over the candidates,
 *    of which the filters keep a prefix: top-k the first k; then min-p those with at least minP of
 *    the first's probability; then top-p the shortest prefix that holds topP of the mass left.
 * 4. The token is the argmax of logit / temperature + g, where g = -ln(-ln u) is Gumbel noise and u
 *    comes from Philox4x32-10 keyed by the seed and counted by (token, position); ties to the lower id.
 *    This draws from the softmax exactly (Gumbel 1954; Maddison, Tarlow and Minka, "A* sampling",
 *    2014), and each candidate's score depends on nothing but its own logit, so that an auditor can
 *    say how far a claimed token lies under the best.
 *
 * Golden vectors in test/unit/protocol/sampler.test.ts fix it. A change is another version.
 */
import type { SamplingParameters } from '../generation.ts'
import { uniform } from './philox.ts'

/** How many candidates the contract looks at. */
export const CANDIDATES = 64

/** The highest raw logits at one position, best first, ties to the lower token id. */
export interface Candidates {
  tokens: Uint32Array
  logits: Float32Array
}

// One call uses them at a time: sampling is synchronous, and allocating per token costs more than sampling.
const tokens = new Uint32Array(CANDIDATES)
const logits = new Float64Array(CANDIDATES)
const weights = new Float64Array(CANDIDATES)

/**
 * The token that contract 1 gives.
 *
 * @param candidates 1 to 64 of them; fewer where the vocabulary or a grammar allows no more
 * @param position index of the token in the answer, counted from its first token on any node
 * @param counts how often each token stands in the answer so far
 * @throws RangeError without candidates
 */
export function sampleToken(
  candidates: Candidates,
  parameters: SamplingParameters,
  position: number,
  counts: ReadonlyMap<number, number>
): number {
  const size = Math.min(candidates.tokens.length, CANDIDATES)
  if (size === 0) throw new RangeError('no candidate to sample from')
  adjust(candidates, size, parameters, counts)
  if (parameters.temperature === 0) return tokens[0]!
  const kept = filter(size, parameters)
  return drawGumbel(kept, parameters, position)
}

/** Step 2: fills `tokens` and `logits`, best first. */
function adjust(
  candidates: Candidates,
  size: number,
  { logitBias, presencePenalty, frequencyPenalty }: SamplingParameters,
  counts: ReadonlyMap<number, number>
): void {
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

/** Step 3: how many of the ordered candidates the filters keep, at least one. */
function filter(size: number, { temperature, topK, minP, topP }: SamplingParameters): number {
  let kept = topK > 0 ? Math.min(topK, size) : size
  if (minP <= 0 && topP >= 1) return kept

  // Weights relative to the first: the softmax's denominator cancels out of both filters.
  let mass = 0
  for (let index = 0; index < kept; index++) {
    const weight = Math.exp((logits[index]! - logits[0]!) / temperature)
    if (weight < minP) {
      kept = index
      break
    }
    weights[index] = weight
    mass += weight
  }
  kept = Math.max(kept, 1)
  if (topP >= 1) return kept

  let cumulative = 0
  for (let index = 0; index < kept; index++) {
    cumulative += weights[index]!
    if (cumulative >= topP * mass) return index + 1
  }
  return kept
}

/** Step 4. */
function drawGumbel(kept: number, { seed, temperature }: SamplingParameters, position: number): number {
  const seedLow = Number(seed & 0xffffffffn)
  const seedHigh = Number((seed >> 32n) & 0xffffffffn)
  let best = -Infinity
  let chosen = tokens[0]!
  for (let index = 0; index < kept; index++) {
    const token = tokens[index]!
    const noise = -Math.log(-Math.log(uniform(seedLow, seedHigh, position, token)))
    const score = logits[index]! / temperature + noise
    if (score > best || (score === best && token < chosen)) {
      best = score
      chosen = token
    }
  }
  return chosen
}
