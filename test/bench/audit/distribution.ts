/** Writes the distribution from which the simulator draws its audits. */
import { writeFile } from 'node:fs/promises'
import { TOKEN_CELLS } from '../../../client/evidence/bins.ts'
import { HONEST, type Distribution } from '../../../scripts/simulate/world/audit.ts'
import type { CheatedPool } from './cheated.ts'
import { sumOf, tokensOf, type Audited } from './pool.ts'

const TARGET = new URL('../../../scripts/simulate/audit-distribution.json', import.meta.url)

/**
 * Writes the probability of each cell (see `client/evidence/bins.ts`) for one token. For honest nodes, it counts the
 * tokens of all pairs of node and auditor together. For each cheat, it counts the tokens of all temperatures.
 */
export async function writeDistribution(honest: readonly Audited[], cheated: readonly CheatedPool[]): Promise<void> {
  const pools = new Map<string, readonly Audited[]>([[HONEST, honest]])
  for (const { name, pool } of cheated) pools.set(name, [...(pools.get(name) ?? []), ...pool])
  const distribution: Distribution = Object.fromEntries([...pools].map(([name, pool]) => [name, sharesOf(pool)]))
  await writeFile(TARGET, `${JSON.stringify(distribution, undefined, 2)}\n`)
}

function sharesOf(pool: readonly Audited[]): Record<string, number> {
  const tokens = tokensOf(pool)
  const seen = [...sumOf(pool).entries()].filter(([cell, count]) => cell < TOKEN_CELLS && count > 0)
  return Object.fromEntries(seen.map(([cell, count]) => [cell, Number((count / tokens).toPrecision(4))]))
}
