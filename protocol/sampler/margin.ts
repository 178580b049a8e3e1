/**
 * How far a claimed token lies from the one that the contract gives: what an audit measures.
 *
 * Two honest computations of one logit differ a little (another backend, batch size or cache), and
 * near a tie that turns one token into another: where two scores are close, and where a filter's
 * edge is. The margin is the change of logits, to first order, that would make the contract give
 * the claimed token; so honest noise gives small margins wherever it strikes.
 */
import type { SamplingParameters } from '../generation.ts'
import { rank, type Candidates, type Ranking } from './ranking.ts'
import { gumbel, sampleToken } from './sampler.ts'

/**
 * @param candidates the auditor's own
 * @param claimed the token in the receipt's answer
 * @returns units of logits; 0 for the contract's token; Infinity for one that is not among the candidates
 * @throws RangeError without candidates
 */
export function tokenMargin(
  candidates: Candidates,
  parameters: SamplingParameters,
  position: number,
  counts: ReadonlyMap<number, number>,
  claimed: number
): number {
  if (sampleToken(candidates, parameters, position, counts) === claimed) return 0
  const ranking = rank(candidates, parameters, counts)
  const place = ranking.tokens.subarray(0, ranking.size).indexOf(claimed)
  if (place === -1) return Infinity
  if (parameters.temperature === 0) return ranking.logits[0]! - ranking.logits[place]!

  const noise = Float64Array.from(
    { length: ranking.size },
    (_, index) => parameters.temperature * gumbel(parameters.seed, position, ranking.tokens[index]!)
  )
  const { topK, minP } = parameters
  const most = topK > 0 ? Math.min(topK, ranking.size) : ranking.size
  // Whatever prefix the filters might have kept: what it costs that they do, and that the token wins in it.
  let margin = Infinity
  for (let kept = 1; kept <= most; kept++) {
    const win = costToWin(ranking, noise, kept, place)
    for (let weighted = minP > 0 ? kept : most; weighted <= most && win < margin; weighted++) {
      const filters = Math.max(
        costOfMinP(ranking, parameters, weighted, most),
        costOfTopP(ranking, parameters, kept, weighted)
      )
      margin = Math.min(margin, Math.max(win, filters))
    }
  }
  return margin
}

/** The change that lets the candidate at `place` win, if the filters keep the first `kept`. */
function costToWin({ logits, size }: Readonly<Ranking>, noise: Float64Array, kept: number, place: number): number {
  let cost = place < kept ? 0 : logits[kept - 1]! - logits[place]!
  const own = logits[place]! + noise[place]!
  for (let rival = 0; rival < kept; rival++) {
    if (rival === place) continue
    const deficit = logits[rival]! + noise[rival]! - own
    // A rival is beaten by a better score, or falls past the first that is filtered out.
    const fall = kept < size ? logits[rival]! - logits[kept]! : Infinity
    cost = Math.max(cost, Math.min(deficit, fall))
  }
  return cost
}

/** The change with which min-p keeps the first `weighted` of the `most` that top-k keeps. */
function costOfMinP(
  { logits }: Readonly<Ranking>,
  { temperature, minP }: SamplingParameters,
  weighted: number,
  most: number
): number {
  if (minP <= 0) return 0
  const edge = logits[0]! + temperature * Math.log(minP)
  const drop = weighted < most ? logits[weighted]! - edge : 0
  const keep = weighted > 1 ? edge - logits[weighted - 1]! : 0
  return Math.max(0, drop, keep)
}

/** The change with which top-p keeps the first `kept` of `weighted`. */
function costOfTopP(
  { logits }: Readonly<Ranking>,
  { temperature, topP }: SamplingParameters,
  kept: number,
  weighted: number
): number {
  if (topP >= 1) return kept === weighted ? 0 : Infinity
  const share = (end: number): number => {
    let part = 0
    let mass = 0
    for (let index = 0; index < weighted; index++) {
      const weight = Math.exp((logits[index]! - logits[0]!) / temperature)
      mass += weight
      if (index < end) part += weight
    }
    return logOdds(part / mass)
  }
  // A common shift of some logits moves the log-odds of their share by shift / temperature.
  const drop = kept < weighted ? temperature * (logOdds(topP) - share(kept)) : 0
  const keep = kept > 1 ? temperature * (share(kept - 1) - logOdds(topP)) : 0
  return Math.max(0, drop, keep)
}

function logOdds(share: number): number {
  return Math.log(share / (1 - share))
}
