/**
 * How many audited tokens it takes to quarantine and to ban a cheating peer. The peer cheats in all answers, or in 30 %
 * of them.
 */
import { createRandom } from '../../../scripts/calibrate/random.ts'
import { SLOTS } from '../../../scripts/calibrate/variations.ts'
import type { WorkerPool } from '../../../scripts/calibrate/worker-pool.ts'
import { reportQuantiles, type BenchContext } from '../report.ts'
import { cheatedAnswers, type Cheat } from './cheats.ts'
import { auditPeer, exactShare, mixed, toAudited, tokensOf, tokensToBan, type Audited } from './pool.ts'

export interface CheatedPool {
  name: string
  temperature: number
  pool: Audited[]
  /** Of each answer with at least `LONG` tokens: see `tokensToBan`. */
  toBan: number[]
}

const TEMPERATURES = [0, 0.7, 1]
const PEERS = 1000
/** In a shorter answer, a peer is sometimes not banned because the answer ends. */
const LONG = 64
/** The share of the answers in which the second kind of peer cheats. */
const PART = 0.3

export async function cheatedPools(
  cheats: Readonly<Record<string, Cheat>>,
  spec: { tokens: number; seed: number },
  workers: WorkerPool
): Promise<CheatedPool[]> {
  const pools = Object.entries(cheats).map(async ([name, cheat]) => {
    const made = await cheatedAnswers(cheat, { ...spec, temperatures: TEMPERATURES }, workers, name)
    const measured = await workers.audits({ modelPath: cheat.claimed, slots: SLOTS }, made, `audits: ${name}`)
    return TEMPERATURES.map((temperature, index) => ({
      name,
      temperature,
      pool: toAudited(made[index]!, measured[index]!),
      toBan: made[index]!.flatMap((answer, at) =>
        answer.answerTokens.length < LONG ? [] : [tokensToBan(answer, measured[index]![at]!)]
      )
    }))
  })
  return (await Promise.all(pools)).flat()
}

/** @param honest the answers in which the peer does not cheat */
export function reportCheats(
  { report }: BenchContext,
  pools: readonly CheatedPool[],
  honest: readonly Audited[]
): void {
  for (const { name, temperature, pool, toBan } of pools) {
    const label = `${name}, T ${temperature}`
    report({ case: label, metric: 'exact_share', value: exactShare(pool), unit: '', n: tokensOf(pool) })
    const first = { case: label, metric: 'tokens_of_first_answer_to_ban', unit: 'tokens' }
    reportQuantiles(report, first, toBan, [0.5, 0.99])
    for (const share of [1, PART]) {
      const random = createRandom(4)
      const peers = Array.from({ length: PEERS }, () => auditPeer(mixed(honest, pool, share, random)))
      const row = { case: share === 1 ? label : `${label}, in ${100 * share} %`, unit: 'tokens' }
      for (const [metric, values] of [
        ['tokens_to_quarantine', peers.map(({ quarantined }) => quarantined)],
        ['tokens_to_ban', peers.map(({ banned }) => banned)]
      ] as const) {
        reportQuantiles(report, { ...row, metric }, values, [0.5, 0.99])
      }
    }
  }
}
