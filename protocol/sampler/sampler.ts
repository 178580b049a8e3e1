/**
 * Sampling contract, version 1: chooses a token from raw logits. Node and auditor run this same code.
 *
 * 1. Candidates: the 64 tokens with the highest raw logits. Of equal logits, the lower token id is first.
 * 2. Bias and penalties, in float64: add `logitBias`. If the answer so far contains the token, subtract the presence
 *    penalty once, and the frequency penalty once for each occurrence. Sort the candidates again by the same rule.
 * 3. Filters: temperature 0 takes the first candidate. Otherwise compute the softmax of logit / temperature over the
 *    candidates. Then three filters apply in this order. Top-k keeps the first k candidates. Min-p keeps candidates
 *    with at least minP times the probability of the first candidate. Top-p takes candidates, the most probable first,
 *    until the sum of their probabilities is at least topP times the sum of all that min-p kept. It drops the rest.
 * 4. Draw: the token is the argmax of logit / temperature + g over the kept candidates; of equal scores, the lower
 *    token id. g = -ln(-ln u) is Gumbel noise, and u comes from Philox4x32-10 with the seed as its key and (token,
 *    position) as its counter.
 *
 * Step 4 draws from the softmax exactly (Gumbel 1954; Maddison, Tarlow and Minka, "A* sampling", 2014). The score of a
 * candidate depends only on its own logit, so an auditor can measure how far a claimed token is below the best score.
 *
 * `docs/sampling.md` specifies the contract, and golden vectors in `test/vectors/` fix it. A change needs a new
 * version.
 */
import type { SamplingParameters } from '../generation.ts'
import { uniform } from './philox.ts'
import { rankTokens, type TokenCandidates } from './ranking.ts'

/**
 * Returns the token that contract 1 gives.
 *
 * @param position index of the token in the whole answer, including tokens of other nodes
 * @param counts how often each token occurs in the answer so far
 * @throws RangeError if there are no candidates
 */
export function sampleToken(
  candidates: TokenCandidates,
  parameters: SamplingParameters,
  position: number,
  counts: ReadonlyMap<number, number>
): number {
  const { tokens, logits, kept } = rankTokens(candidates, parameters, counts)
  let chosen = tokens[0]!
  if (kept === 1) return chosen
  let best = -Infinity
  for (let index = 0; index < kept; index++) {
    const token = tokens[index]!
    const score = logits[index]! / parameters.temperature + gumbel(parameters.seed, position, token)
    if (score > best || (score === best && token < chosen)) {
      best = score
      chosen = token
    }
  }
  return chosen
}

/** Returns the noise of step 4. */
export function gumbel(seed: bigint, position: number, token: number): number {
  return -Math.log(-Math.log(uniform(seed, position, token)))
}
