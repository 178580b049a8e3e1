/**
 * In which order nodes are asked: gate, then trade off. Pure, but for the random source that is passed in.
 *
 * 1. the gate: convicted, set aside, leaving, not suitable, not allowed by the mode
 * 2. the user's own node, while it has a free slot
 * 3. now and then a newcomer, by its bounded share
 * 4. established nodes: cold before hot, each by predicted completion over a Thompson draw of its reliability
 * 5. newcomers: those whose trial has begun before strangers, those with an audit under way last
 * 6. nodes that asked to be left alone for a while, soonest first
 *
 * Later steps are worked out only when the caller asks for them.
 */
import { READABLE_TOKENS_PER_SECOND } from '../constants.ts'
import type { ReputationParameters } from '../reputation/index.ts'
import { drawBeta } from './beta.ts'
import { LEAST_RELIABILITY } from './constants.ts'
import type { Contender, Mode, Request } from './contender.ts'
import { isEstablished, refusalOf } from './gate.ts'
import { hotBound, inFlightPerSlot } from './hot-cold.ts'
import { predictTimes, type Times } from './predict.ts'

export interface Choice<C extends Contender> {
  contender: C
  /** Why it stands here. */
  why: 'local' | 'newcomer_share' | 'cold' | 'hot' | 'newcomer' | 'resting'
  predicted: Times
}

export interface RankContext {
  mode: Mode
  parameters: ReputationParameters
  /** From `Reputation.newcomerShare`. */
  newcomerShare: number
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
  const { mode, now, random, newcomerShare } = context
  const allowed = contenders.filter((contender) => refusalOf(contender, request, mode) === undefined)
  const awake = allowed.filter(({ notBefore }) => notBefore <= now)
  const weigh = (contender: C, why: Choice<C>['why']): Choice<C> => ({
    contender,
    why,
    predicted: predictTimes(contender, request, context.parameters, now)
  })

  const own = awake.find(({ local, load, inFlight }) => local && Math.max(load.active, inFlight) < load.slots)
  if (own !== undefined) yield weigh(own, 'local')
  const others = awake.filter((contender) => contender !== own)
  const established = others.filter(isEstablished)
  const newcomers = others.filter((contender) => !isEstablished(contender))

  let tried: C | undefined
  if (own === undefined && established.length > 0 && random() < newcomerShare) {
    tried = byTrial(newcomers, random).find(({ awaitedAudits }) => awaitedAudits === 0)
    if (tried !== undefined) yield weigh(tried, 'newcomer_share')
  }
  yield* byTime(established, weigh, random)
  for (const contender of byTrial(newcomers, random)) if (contender !== tried) yield weigh(contender, 'newcomer')
  const resting = allowed.filter(({ notBefore }) => notBefore > now)
  for (const contender of resting.sort((a, b) => a.notBefore - b.notBefore)) yield weigh(contender, 'resting')
}

/** Cold by time, then hot by requests in flight. */
function byTime<C extends Contender>(
  contenders: readonly C[],
  weigh: (contender: C, why: Choice<C>['why']) => Choice<C>,
  random: () => number
): Array<Choice<C>> {
  const bound = hotBound(contenders)
  return contenders
    .map((contender) => {
      const hot = inFlightPerSlot(contender) > bound
      const choice = weigh(contender, hot ? 'hot' : 'cold')
      // Of p tries one succeeds: dividing by p is the time with all failures before it.
      const cost = choice.predicted.totalMs / Math.max(LEAST_RELIABILITY, drawBeta(contender.reliability, random))
      return { choice, hot, cost, load: hot ? inFlightPerSlot(contender) : 0 }
    })
    .sort((a, b) => Number(a.hot) - Number(b.hot) || a.load - b.load || a.cost - b.cost)
    .map(({ choice }) => choice)
}

/**
 * A trial that has begun is brought to its end first: what was audited already is lost on a peer
 * that is never asked again. Among strangers chance decides, since what their cards claim costs
 * nothing; only who admits to being too slow to read along comes last.
 */
function byTrial<C extends Contender>(newcomers: readonly C[], random: () => number): C[] {
  return newcomers
    .map((contender) => ({ contender, chance: random() }))
    .sort(
      ({ contender: a, chance: chanceA }, { contender: b, chance: chanceB }) =>
        a.awaitedAudits - b.awaitedAudits ||
        b.auditedTokens - a.auditedTokens ||
        Number(isSlow(a)) - Number(isSlow(b)) ||
        chanceA - chanceB
    )
    .map(({ contender }) => contender)
}

function isSlow({ claims }: Contender): boolean {
  return claims.decodeTokensPerSecond < READABLE_TOKENS_PER_SECOND
}
