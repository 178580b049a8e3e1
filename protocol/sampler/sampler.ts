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
import { rank, type Candidates } from './ranking.ts'

/**
 * The token that contract 1 gives.
 *
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
  const { tokens, logits, kept } = rank(candidates, parameters, counts)
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

/** The noise of step 4. */
export function gumbel(seed: bigint, position: number, token: number): number {
  return -Math.log(-Math.log(uniform(seed, position, token)))
}
