/**
 * How far a claimed token lies from the one that the contract gives: what an audit measures.
 *
 * Two honest computations of one logit differ a little (another backend, batch size or cache), and
 * near a tie that turns one token into another: where two scores are close, and where a filter's
 * edge is. The margin of a token is the change of logits, to first order, that would make the
 * contract give it; so honest noise gives small margins wherever it strikes. The gap is the least
 * margin of any other token: how small a change could have shown at this position at all.
 */
import type { SamplingParameters } from '../generation.ts'
import { CANDIDATES, rank, type Candidates, type Ranking } from './ranking.ts'
import { gumbel, sampleToken } from './sampler.ts'

/** In units of logits. */
export interface TokenMargin {
  /** 0 for the contract's token; Infinity for one that is not among the candidates. */
  margin: number
  /** Of the closest other token; a function of everything but the claim. Infinity without rivals. */
  gap: number
}

/**
 * @param candidates the auditor's own
 * @param claimed the token in the receipt's answer
 * @throws RangeError without candidates
 */
export function tokenMargin(
  candidates: Candidates,
  parameters: SamplingParameters,
  position: number,
  counts: ReadonlyMap<number, number>,
  claimed: number
): TokenMargin {
  const chosen = sampleToken(candidates, parameters, position, counts)
  const ranking = rank(candidates, parameters, counts)
  const places = ranking.tokens.subarray(0, ranking.size)
  const costs = parameters.temperature === 0 ? greedyCosts(ranking) : samplingCosts(ranking, parameters, position)
  const winner = places.indexOf(chosen)
  let gap = Infinity
  for (let place = 0; place < ranking.size; place++) {
    if (place !== winner) gap = Math.min(gap, costs(place, gap))
  }
  if (claimed === chosen) return { margin: 0, gap }
  const place = places.indexOf(claimed)
  return { margin: place === -1 ? Infinity : costs(place, Infinity), gap }
}

/** The change that gives the candidate at a place, exact where it is below the bound. */
type Costs = (place: number, bound: number) => number

function greedyCosts({ logits }: Readonly<Ranking>): Costs {
  return (place) => logits[0]! - logits[place]!
}

/** Whatever prefix the filters might have kept: what it costs that they do, and that the token wins in it. */
function samplingCosts(ranking: Readonly<Ranking>, parameters: SamplingParameters, position: number): Costs {
  const noise = Float64Array.from(
    { length: ranking.size },
    (_, index) => parameters.temperature * gumbel(parameters.seed, position, ranking.tokens[index]!)
  )
  const most = parameters.topK > 0 ? Math.min(parameters.topK, ranking.size) : ranking.size
  const filters = filterCosts(ranking, parameters, most)
  return (place, bound) => {
    let least = bound
    for (let kept = 1; kept <= most; kept++) {
      if (filters[kept]! < least) {
        least = Math.min(least, Math.max(filters[kept]!, costToWin(ranking, noise, kept, place, least)))
      }
    }
    return least
  }
}

/** The change that lets the candidate at `place` win, if the filters keep the first `kept`. */
function costToWin(
  { logits, size }: Readonly<Ranking>,
  noise: Float64Array,
  kept: number,
  place: number,
  bound: number
): number {
  let cost = place < kept ? 0 : logits[kept - 1]! - logits[place]!
  const own = logits[place]! + noise[place]!
  for (let rival = 0; rival < kept && cost < bound; rival++) {
    if (rival === place) continue
    const deficit = logits[rival]! + noise[rival]! - own
    // A rival is beaten by a better score, or falls past the first that is filtered out.
    const fall = kept < size ? logits[rival]! - logits[kept]! : Infinity
    cost = Math.max(cost, Math.min(deficit, fall))
  }
  return cost
}

/** By how many the filters keep: the change with which they do. Reused, as one call uses it at a time. */
const costsOfKeeping = new Float64Array(CANDIDATES + 1)
/** By how many are looked at: their weight, relative to the first. */
const masses = new Float64Array(CANDIDATES + 1)

function filterCosts(ranking: Readonly<Ranking>, parameters: SamplingParameters, most: number): Float64Array {
  const { logits } = ranking
  const { temperature, minP } = parameters
  for (let index = 0; index < most; index++) {
    masses[index + 1] = masses[index]! + Math.exp((logits[index]! - logits[0]!) / temperature)
  }
  for (let kept = 1; kept <= most; kept++) {
    let least = Infinity
    for (let weighted = minP > 0 ? kept : most; weighted <= most; weighted++) {
      const minPCost = costOfMinP(ranking, parameters, weighted, most)
      if (minPCost < least) least = Math.min(least, Math.max(minPCost, costOfTopP(parameters, kept, weighted)))
    }
    costsOfKeeping[kept] = least
  }
  return costsOfKeeping
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
function costOfTopP({ temperature, topP }: SamplingParameters, kept: number, weighted: number): number {
  if (topP >= 1) return kept === weighted ? 0 : Infinity
  // A common shift of some logits moves the log-odds of their share by shift / temperature.
  const edge = Math.log(topP / (1 - topP))
  const drop = kept < weighted ? temperature * (edge - logOddsOfFirst(kept, weighted)) : 0
  const keep = kept > 1 ? temperature * (logOddsOfFirst(kept - 1, weighted) - edge) : 0
  return Math.max(0, drop, keep)
}

/** Log-odds of the share that the first `count` of `weighted` have. */
function logOddsOfFirst(count: number, weighted: number): number {
  return Math.log(masses[count]! / (masses[weighted]! - masses[count]!))
}
