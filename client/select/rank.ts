/**
 * In which order nodes are asked: gate, then trade off. Pure, but for the random source that is passed in.
 *
 * 1. the gate: banned, quarantined, leaving, not suitable, not allowed by the mode
 * 2. the user's own node, while it has a free slot
 * 3. now and then a probationary peer, by its bounded share
 * 4. established nodes: the one that holds the conversation's beginning; then cold before hot, each by
 *    predicted completion over a Thompson draw of its reliability
 * 5. newcomers: those whose trial has begun before strangers, those with answers still to be audited after
 *    them, those that fail most of the time last
 * 6. nodes whose context is likely too short
 * 7. nodes that asked to be left alone for a while, soonest first
 *
 * Later steps are worked out only when the caller asks for them.
 */
import { READABLE_TOKENS_PER_SECOND } from '../constants.ts'
import type { ReputationParameters } from '../reputation/index.ts'
import { drawBeta } from './beta.ts'
import { FAILING_RELIABILITY, LEAST_RELIABILITY, PREFIX_PATIENCE } from './constants.ts'
import type { Contender, Mode, Request } from './contender.ts'
import { isEstablished, refusalOf } from './gate.ts'
import { hotBound, inFlightPerSlot } from './hot-cold.ts'
import { predictTimes, type Times } from './predict.ts'

export interface Choice<C extends Contender> {
  contender: C
  /** Why it stands here. */
  why: 'local' | 'probation_share' | 'holds_prefix' | 'cold' | 'hot' | 'probationary' | 'tight' | 'resting'
  predicted: Times
}

export interface RankContext {
  mode: Mode
  parameters: ReputationParameters
  /**
   * Whether newcomers stand apart. False where this client cannot audit: nobody could ever pass a
   * probation, and all would stay strangers, chosen by chance.
   */
  probation: boolean
  /** From `Reputation.probationShare`. */
  probationShare: number
  /** Milliseconds since the epoch. */
  now: number
  /** Uniform in [0, 1). */
  random: () => number
}

/** Best first. */
export function* rank<C extends Contender>(
  contenders: readonly C[],
  request: Request,
  context: RankContext
): Generator<Choice<C>, void, void> {
  const { mode, now, random, probationShare, probation } = context
  const weigh = (contender: C, why: Choice<C>['why']): Choice<C> => ({
    contender,
    why,
    predicted: predictTimes(contender, request, context.parameters, now)
  })
  let own: C | undefined
  const established: C[] = []
  const probationary: C[] = []
  const tight: C[] = []
  const resting: C[] = []
  for (const contender of contenders) {
    if (refusalOf(contender, request, mode) !== undefined) continue
    if (contender.notBefore > now) resting.push(contender)
    else if (isTight(contender, request)) tight.push(contender)
    else if (own === undefined && contender.local && hasFreeSlot(contender)) own = contender
    else if (!probation || isEstablished(contender)) established.push(contender)
    else probationary.push(contender)
  }

  if (own !== undefined) yield weigh(own, 'local')
  let tried: C | undefined
  if (own === undefined && established.length > 0 && random() < probationShare) {
    tried = byTrial(probationary, random).find((contender) => unaudited(contender) === 0 && !isFailing(contender))
    if (tried !== undefined) yield weigh(tried, 'probation_share')
  }
  yield* holderFirst(byTime(established, weigh, now, random))
  for (const contender of byTrial(probationary, random)) if (contender !== tried) yield weigh(contender, 'probationary')
  for (const choice of byTime(tight, (contender) => weigh(contender, 'tight'), now, random)) yield choice
  for (const contender of resting.sort((a, b) => a.notBefore - b.notBefore)) yield weigh(contender, 'resting')
}

/** Cold by time, then hot by requests in flight. */
function byTime<C extends Contender>(
  contenders: readonly C[],
  weigh: (contender: C, why: Choice<C>['why']) => Choice<C>,
  now: number,
  random: () => number
): Array<Choice<C>> {
  const bound = hotBound(contenders, now)
  return contenders
    .map((contender) => {
      const inFlight = inFlightPerSlot(contender, now)
      const hot = inFlight > bound
      const choice = weigh(contender, hot ? 'hot' : 'cold')
      // Of p tries one succeeds: dividing by p is the time with all failures before it.
      const cost = choice.predicted.totalMs / Math.max(LEAST_RELIABILITY, drawBeta(contender.reliability, random))
      return { choice, hot, cost, load: hot ? inFlight : 0 }
    })
    .sort((a, b) => Number(a.hot) - Number(b.hot) || a.load - b.load || a.cost - b.cost)
    .map(({ choice }) => choice)
}

/** The node that holds the conversation's beginning comes first, unless it is much slower than the best. */
function holderFirst<C extends Contender>(choices: Array<Choice<C>>): Array<Choice<C>> {
  const [best] = choices
  const holder = choices.findIndex(({ contender }) => contender.cachedTokens > 0)
  const choice = choices[holder]
  if (best === undefined || choice === undefined) return choices
  if (choice.predicted.totalMs > PREFIX_PATIENCE * best.predicted.totalMs) return choices
  return [{ ...choice, why: 'holds_prefix' }, ...choices.toSpliced(holder, 1)]
}

/**
 * A trial that has begun is brought to its end first: what was audited already is lost on a peer
 * that is never asked again. Among strangers chance decides, since what their cards claim costs
 * nothing; only who admits to being too slow to read along comes after them.
 *
 * Callers who come at once are spread: none is audited before its answer is there. And who cuts all
 * its answers is never audited, so that its trial would go on for ever.
 */
function byTrial<C extends Contender>(newcomers: readonly C[], random: () => number): C[] {
  return newcomers
    .map((contender) => ({
      contender,
      failing: Number(isFailing(contender)),
      unaudited: unaudited(contender),
      auditedTokens: contender.auditedTokens,
      slow: Number(isSlow(contender)),
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
    .map(({ contender }) => contender)
}

/** Answers whose audit is awaited, or that are still being given. */
function unaudited({ awaitedAudits, inFlight }: Contender): number {
  return awaitedAudits + inFlight
}

function isFailing({ reliability: { alpha, beta } }: Contender): boolean {
  return alpha / (alpha + beta) < FAILING_RELIABILITY
}

function isTight({ contextLength }: Contender, { promptTokens, maxTokens = 1 }: Request): boolean {
  return contextLength < promptTokens + maxTokens
}

function isSlow({ claims }: Contender): boolean {
  return claims.decodeTokensPerSecond < READABLE_TOKENS_PER_SECOND
}

function hasFreeSlot({ load, inFlight }: Contender): boolean {
  return Math.max(load.active + load.queued, inFlight) < load.slots
}
