/** Cheats: how long they last, in all of their answers and in some. */
import type { Laboratory } from '../../../scripts/calibrate/laboratory.ts'
import { createRandom } from '../../../scripts/calibrate/prompts.ts'
import { SLOTS } from '../../../scripts/calibrate/variations.ts'
import { quantile, type BenchContext } from '../report.ts'
import { cheatedAnswers, type Cheat } from './cheats.ts'
import { audited, exactShare, live, mixed, tokensOf, type Audited } from './pool.ts'

export interface CheatedPool {
  name: string
  temperature: number
  pool: Audited[]
}

const TEMPERATURES = [0, 0.7, 1]
const RUNS = 1000
/** Answers of part-time cheats are cheated with this probability. */
const PART = 0.3

export async function cheatedPools(
  cheats: Readonly<Record<string, Cheat>>,
  wanted: { tokens: number; seed: number },
  laboratory: Laboratory
): Promise<CheatedPool[]> {
  const pools = Object.entries(cheats).map(async ([name, cheat]) => {
    const made = await cheatedAnswers(cheat, { ...wanted, temperatures: TEMPERATURES }, laboratory, name)
    const measured = await laboratory.audits({ modelPath: cheat.claimed, slots: SLOTS }, made, `audits: ${name}`)
    return TEMPERATURES.map((temperature, index) => ({
      name,
      temperature,
      pool: audited(made[index]!, measured[index]!)
    }))
  })
  return (await Promise.all(pools)).flat()
}

/** @param honest answers of the same peer where it does not cheat */
export function reportCheats(
  { report }: BenchContext,
  pools: readonly CheatedPool[],
  honest: readonly Audited[]
): void {
  for (const { name, temperature, pool } of pools) {
    const label = `${name}, T ${temperature}`
    report({ case: label, metric: 'exact_share', value: exactShare(pool), unit: '', n: tokensOf(pool) })
    for (const share of [1, PART]) {
      const random = createRandom(4)
      const runs = Array.from({ length: RUNS }, () => live(mixed(honest, pool, share, random)))
      const row = { case: share === 1 ? label : `${label}, in ${100 * share} %`, unit: 'tokens', n: RUNS }
      for (const [metric, values] of [
        ['tokens_to_quarantine', runs.map(({ quarantined }) => quarantined)],
        ['tokens_to_ban', runs.map(({ banned }) => banned)]
      ] as const) {
        report({ ...row, metric: `${metric}_p50`, value: quantile(values, 0.5) })
        report({ ...row, metric: `${metric}_p99`, value: quantile(values, 0.99) })
      }
    }
  }
}
