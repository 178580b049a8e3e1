/**
 * The order in which the client asks the candidates that passed the gate. Pure: the clock and the random source are
 * passed in.
 *
 * 1. the user's own node, while it has a free slot
 * 2. otherwise, in a share of the requests (`probationShare`): one probationary peer
 * 3. established peers: first the node with the conversation's prefix in its cache; then cold nodes by the predicted
 *    time of the answer, divided by a Thompson draw of the reliability; then hot nodes by requests in flight
 * 4. probationary peers: first the peers without a running request or a pending audit, and among these the peer with
 *    the most audited tokens; last the peers that fail most answers
 * 5. nodes whose context is probably too short
 * 6. nodes in a pause, in the order in which the pauses end
 *
 * A caller that reads only the first candidates does not pay for the rest: each step is computed when it is read.
 */
import { READABLE_TOKENS_PER_SECOND } from '../base/constants.ts'
import { betaMean, type ReputationParameters } from '../reputation/index.ts'
import { drawBeta } from './beta.ts'
import type { Candidate, RankedCandidate, Workload } from './candidate.ts'
import { FAILING_RELIABILITY, LEAST_RELIABILITY, PREFIX_GAIN } from './constants.ts'
import { hotBound, inFlightPerSlot, predictTimes } from './predict.ts'

export interface RankContext {
  parameters: ReputationParameters
  /** The share of the requests for probationary peers, 0 to 1: see `Reputation.probationShare`. */
  probationShare: number
  /** Milliseconds since the epoch. */
  now: number
  /** Uniform in [0, 1). */
  random: () => number
}

type Weigh = (candidate: Candidate, why: RankedCandidate['why']) => RankedCandidate

/** Best first. */
export function* rank(
  candidates: readonly Candidate[],
  work: Workload,
  { now, random, probationShare, parameters }: RankContext
): Generator<RankedCandidate, void, void> {
  const weigh: Weigh = (candidate, why) => ({
    ...candidate,
    why,
    predicted: predictTimes(candidate, work, parameters, now)
  })
  let own: Candidate | undefined
  const established: Candidate[] = []
  const probationary: Candidate[] = []
  const tight: Candidate[] = []
  const resting: Candidate[] = []
  for (const candidate of candidates) {
    if (candidate.notBefore > now) resting.push(candidate)
    else if (isTight(candidate, work)) tight.push(candidate)
    else if (own === undefined && candidate.local && hasFreeSlot(candidate)) own = candidate
    else if (isEstablished(candidate) || (!work.auditable && !candidate.suspected)) established.push(candidate)
    else probationary.push(candidate)
  }

  if (own !== undefined) yield weigh(own, 'local')
  let tried: Candidate | undefined
  if (own === undefined && established.length > 0 && random() < probationShare) {
    tried = byProbation(probationary, random).find((one) => unaudited(one) === 0 && !isFailing(one) && !one.suspected)
    if (tried !== undefined) yield weigh(tried, 'probation_share')
  }
  yield* prefixHolderFirst(byTime(established, weigh, now, random))
  for (const one of byProbation(probationary, random)) if (one !== tried) yield weigh(one, 'probationary')
  yield* byTime(tight, (candidate) => weigh(candidate, 'tight'), now, random)
  for (const one of resting.sort((a, b) => a.notBefore - b.notBefore)) yield weigh(one, 'resting')
}

/** Cold nodes by time, then hot nodes by requests in flight. */
function byTime(candidates: readonly Candidate[], weigh: Weigh, now: number, random: () => number): RankedCandidate[] {
  const bound = hotBound(candidates, now)
  return candidates
    .map((candidate) => {
      const inFlight = inFlightPerSlot(candidate, now)
      const hot = inFlight > bound
      const weighed = weigh(candidate, hot ? 'hot' : 'cold')
      // With reliability p, a success takes 1/p attempts on average, so the time is divided by p.
      const cost = weighed.predicted.totalMs / Math.max(LEAST_RELIABILITY, drawBeta(candidate.reliability, random))
      return { weighed, hot, cost, load: hot ? inFlight : 0 }
    })
    .sort((a, b) => Number(a.hot) - Number(b.hot) || a.load - b.load || a.cost - b.cost)
    .map(({ weighed }) => weighed)
}

/** The node that has the conversation's prefix in its cache comes first, unless it is much slower than the best. */
function prefixHolderFirst(ranked: RankedCandidate[]): RankedCandidate[] {
  const [best] = ranked
  const index = ranked.findIndex(({ cachedTokens }) => cachedTokens > 0)
  const holder = ranked[index]
  if (best === undefined || holder === undefined) return ranked
  if (holder.predicted.totalMs > PREFIX_GAIN * best.predicted.totalMs) return ranked
  return [{ ...holder, why: 'holds_prefix' }, ...ranked.toSpliced(index, 1)]
}

/**
 * Orders probationary peers. The peer with the most audited tokens comes first, so that its probation ends soon. If the
 * client began a new probation for each request, no peer would ever get enough audits.
 *
 * The order of unknown peers is random, because a card can claim anything. Only peers whose own cards claim less than
 * reading speed come later.
 *
 * A peer with a running request or a pending audit comes later, so concurrent requests go to different peers. Otherwise
 * one peer could give many answers before the client audits the first, because an audit needs the complete answer.
 *
 * A peer that cuts all its answers is never audited, so its probation would never end. Such a peer comes last, like a
 * peer that other nodes accuse.
 */
function byProbation(candidates: readonly Candidate[], random: () => number): Candidate[] {
  return candidates
    .map((candidate) => ({
      candidate,
      failing: Number(isFailing(candidate) || candidate.suspected),
      unaudited: unaudited(candidate),
      auditedTokens: candidate.auditedTokens,
      slow: Number(isSlow(candidate)),
      chance: random()
    }))
    .sort(
      (a, b) =>
        a.failing - b.failing ||
        a.unaudited - b.unaudited ||
        b.auditedTokens - a.auditedTokens ||
        a.slow - b.slow ||
        a.chance - b.chance
    )
    .map(({ candidate }) => candidate)
}

/** Enough tokens of the peer are audited, or the user trusts it. */
function isEstablished({ standing, trusted, local }: Candidate): boolean {
  return standing === 'established' || trusted || local
}

/** Requests that still run, and answers whose audit has no result yet. */
function unaudited({ awaitedAudits, inFlight }: Candidate): number {
  return awaitedAudits + inFlight
}

function isFailing({ reliability }: Candidate): boolean {
  return betaMean(reliability) < FAILING_RELIABILITY
}

function isTight({ model }: Candidate, { promptTokens, maxTokens = 1 }: Workload): boolean {
  return model.contextLength < promptTokens + maxTokens
}

function isSlow({ model }: Candidate): boolean {
  return model.decodeTokensPerSecond < READABLE_TOKENS_PER_SECOND
}

function hasFreeSlot({ node: { load }, inFlight }: Candidate): boolean {
  return Math.max(load.active + load.queued, inFlight) < load.slots
}
