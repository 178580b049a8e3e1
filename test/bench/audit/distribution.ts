/** What the simulator draws its audits from. */
import { writeFile } from 'node:fs/promises'
import { HONEST, type Distribution } from '../../../scripts/simulate/world/audit.ts'
import type { CheatedPool } from './cheated.ts'
import { sumOf, type Audited } from './pool.ts'

const TARGET = new URL('../../../scripts/simulate/audit-distribution.json', import.meta.url)

/** Probabilities of a token's cell: honest over all pairs, cheats over all temperatures. */
export async function writeDistribution(honest: readonly Audited[], cheated: readonly CheatedPool[]): Promise<void> {
  const pools = new Map<string, readonly Audited[]>([[HONEST, honest]])
  for (const { name, pool } of cheated) pools.set(name, [...(pools.get(name) ?? []), ...pool])
  const sums = [...pools].map(([name, pool]) => [name, sumOf(pool)] as const)
  const cells = [...sumOf([...pools.values()].flat()).entries()].flatMap(([cell, count]) => (count > 0 ? [cell] : []))
  const cases = sums.map(([name, counts]) => {
    const all = counts.reduce((sum, count) => sum + count, 0)
    return [name, cells.map((cell) => Number((counts[cell]! / all).toPrecision(4)))] as const
  })
  const distribution: Distribution = { cells, cases: Object.fromEntries(cases) }
  await writeFile(TARGET, `${JSON.stringify(distribution, undefined, 2)}\n`)
}
