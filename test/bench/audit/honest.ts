/** Honest nodes: every variation audited by every other, and what the evidence makes of it. */
import { LOG_RATIOS } from '../../../client/evidence/likelihood.ts'
import type { Laboratory } from '../../../scripts/calibrate/laboratory.ts'
import { areAlike, honestAnswers, honestAudits, type HonestAudit } from '../../../scripts/calibrate/variations.ts'
import type { BenchContext } from '../report.ts'
import { audited, exactShare, live, sumOf, tokensOf, type Audited } from './pool.ts'

export interface HonestPool extends HonestAudit {
  pool: Audited[]
}

/** Tokens of one honest life: more than an end gives for the ban of a cheat. The pair's answers as one life come beside it. */
const LIFE_TOKENS = 1000
/** A machine of which nobody measured anything: half as much noise again. */
const NOISIER = 1.5

/** The first is a node like its auditor. */
export async function honestPools(
  modelPath: string,
  wanted: { tokens: number; seed: number },
  laboratory: Laboratory
): Promise<HonestPool[]> {
  const made = await honestAnswers(modelPath, wanted, laboratory)
  const audits = await honestAudits(modelPath, made, laboratory)
  return audits.map((audit) => ({ ...audit, pool: audited(audit.answers, audit.measured) }))
}

export function reportHonest(context: BenchContext, pools: readonly HonestPool[]): void {
  reportLives(
    context,
    'honest',
    pools.map(({ pool }) => pool)
  )
  const differing = pools.filter((pair) => !areAlike(pair))
  const noisier = differing.map(({ answers, measured }) => audited(answers, measured, NOISIER))
  reportLives(context, `honest, noise x ${NOISIER}`, noisier)
}

function reportLives({ report }: BenchContext, name: string, pools: ReadonlyArray<readonly Audited[]>): void {
  const all = pools.flat()
  const tokens = tokensOf(all)
  const lives = pools.flatMap((pool) => [...livesOf(pool)])
  const short = lives.map(live)
  const long = pools.map(live)
  const banned = [...short, ...long].filter((life) => Number.isFinite(life.banned)).length
  const quarantined = [...short, ...long].filter((life) => Number.isFinite(life.quarantined)).length
  const row = { case: name, unit: '' }
  const n = short.length + long.length
  report({ ...row, metric: 'honest_tokens', value: tokens, n: pools.length })
  report({ ...row, metric: 'exact_share', value: exactShare(all), n: tokens })
  report({ ...row, metric: 'false_bans', value: banned, n })
  report({ ...row, metric: 'false_bans_bound_95', value: upperBound(banned) / n, unit: 'per life', n })
  report({ ...row, metric: 'false_quarantines', value: quarantined, n })
  report({
    ...row,
    metric: 'highest_evidence',
    value: Math.exp(Math.max(...[...short, ...long].map(({ peak }) => peak))),
    n
  })
  report({ ...row, metric: 'mean_ratio', value: meanRatio(all), n: tokens })
}

/** Of one token, for the alternative for which it is the highest: the bets are fair as long as it does not exceed 1. */
function meanRatio(pool: readonly Audited[]): number {
  const cells = sumOf(pool)
  const means = LOG_RATIOS.map((ratios) => cells.reduce((sum, count, cell) => sum + count * Math.exp(ratios[cell]!), 0))
  return Math.max(...means) / tokensOf(pool)
}

/** Upper end of the one-sided 95 % interval of a Poisson mean; without any event the rule of three. */
function upperBound(events: number): number {
  let low = events
  let high = events + 4 * Math.sqrt(events) + 5
  while (high - low > 1e-6) {
    const mean = (low + high) / 2
    if (atMost(events, mean) > 0.05) low = mean
    else high = mean
  }
  return high
}

/** Chance of at most so many events. */
function atMost(events: number, mean: number): number {
  let term = Math.exp(-mean)
  let sum = term
  for (let count = 1; count <= events; count++) sum += term *= mean / count
  return sum
}

function* livesOf(pool: readonly Audited[]): Generator<Audited[]> {
  let life: Audited[] = []
  for (const answer of pool) {
    life.push(answer)
    if (tokensOf(life) < LIFE_TOKENS) continue
    yield life
    life = []
  }
}
