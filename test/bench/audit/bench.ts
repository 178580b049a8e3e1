/** The audit benchmark, see `../audit.ts`. */
import { writeFile } from 'node:fs/promises'
import { answers, everySampling } from '../../../scripts/calibrate/answers.ts'
import { LabEngine, type Generated } from '../../../scripts/calibrate/engine.ts'
import { createRandom } from '../../../scripts/calibrate/prompts.ts'
import { HONEST_VARIATIONS, SLOTS, startVariation } from '../../../scripts/calibrate/variations.ts'
import { crumb } from '../../../node/models/crumb.ts'
import { cheat, CHEATS } from './cheats.ts'
import { measureCost } from './cost.ts'
import { auditAll, live, mixed, type Audited } from './pool.ts'
import { HALF_BILLION, randomModel } from '../model.ts'
import { quantile, type BenchContext } from '../report.ts'

const TEMPERATURES = [0, 0.7, 1]
/** Tokens of each pool. */
const CHEATED_TOKENS = 12_000
const HONEST_TOKENS = 16_000
const RUNS = 1000
/** Answers of part-time cheats are cheated with this probability. */
const PART = 0.3
/** Tokens in one honest life; the same answers as one life come beside it. */
const LIFE_TOKENS = 3000
/** The calibration's answers have other seeds. */
const SEED = 2
const DISTRIBUTION = new URL('../../../scripts/simulate/audit-distribution.json', import.meta.url)

export async function benchAudits(context: BenchContext): Promise<void> {
  const scale = Number(context.args.find((argument) => !argument.startsWith('--')) ?? 1)
  const honest = await honestPools(context, scale)
  reportHonest(context, honest)
  const base = honest.get('as shipped, audited as shipped')!
  const cheated = await cheatedPools(context, scale)
  for (const [label, pool] of cheated) reportCheat(context, label, pool, base)
  await reportCosts(context)
  if (context.args.includes('--write-distribution')) await writeDistribution(context, honest, cheated)
}

/** By "NODE, audited AUDITOR". */
async function honestPools({ note, signal }: BenchContext, scale: number): Promise<Map<string, Audited[]>> {
  const variations = Object.entries(HONEST_VARIATIONS).filter(([, { like }]) => like === undefined)
  const made = new Map<string, Generated[]>()
  for (const [name, variation] of variations) {
    const engine = await startVariation(crumb.Q8_0.path, variation)
    const wanted = { tokens: HONEST_TOKENS * scale, seed: SEED, sampling: everySampling }
    made.set(name, await answers(engine, wanted, signal))
    await engine.close()
    note(`honest answers: ${name}`)
  }
  const pools = new Map<string, Audited[]>()
  for (const [name, variation] of variations) {
    const auditor = await startVariation(crumb.Q8_0.path, variation)
    for (const [node, answered] of made)
      pools.set(`${node}, audited ${name}`, await auditAll(auditor, answered, signal))
    await auditor.close()
    note(`honest audits: ${name}`)
  }
  return pools
}

function reportHonest({ report }: BenchContext, pools: ReadonlyMap<string, readonly Audited[]>): void {
  let tokens = 0
  let lives = 0
  const fates = { setAside: 0, convicted: 0, highest: -Infinity }
  for (const pool of pools.values()) {
    tokens += tokensOf(pool)
    for (const answered of [...livesOf(pool), pool]) {
      const { setAside, convicted, peak } = live(answered)
      lives++
      if (Number.isFinite(setAside)) fates.setAside++
      if (Number.isFinite(convicted)) fates.convicted++
      fates.highest = Math.max(fates.highest, peak)
    }
  }
  const row = { case: 'honest', unit: '' }
  report({ ...row, metric: 'honest_tokens', value: tokens, n: pools.size })
  report({ ...row, metric: 'exact_share', value: exactShare([...pools.values()].flat()), n: tokens })
  report({ ...row, metric: 'false_convictions', value: fates.convicted, n: lives })
  report({ ...row, metric: 'false_set_asides', value: fates.setAside, n: lives })
  // Rule of three: nothing was seen in so many trials.
  report({
    ...row,
    metric: 'false_convictions_bound_95',
    value: upperBound(fates.convicted) / lives,
    unit: 'per life',
    n: lives
  })
  report({ ...row, metric: 'highest_evidence', value: Math.exp(fates.highest), n: lives })
}

/** Upper end of the 95 % interval of a Poisson mean, for few events. */
function upperBound(events: number): number {
  return events === 0 ? 3 : events + 2 * Math.sqrt(events) + 2
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

async function cheatedPools({ note, signal }: BenchContext, scale: number): Promise<Map<string, Audited[]>> {
  const pools = new Map<string, Audited[]>()
  for (const [name, kind] of Object.entries(CHEATS)) {
    const auditor = await LabEngine.start(kind.claimed, { slots: SLOTS })
    for (const temperature of TEMPERATURES) {
      const made = await cheat(kind, { tokens: CHEATED_TOKENS * scale, seed: SEED, temperature }, signal)
      pools.set(`${name}, T ${temperature}`, await auditAll(auditor, made, signal))
    }
    await auditor.close()
    note(`cheated: ${name}`)
  }
  return pools
}

function reportCheat(
  { report }: BenchContext,
  label: string,
  pool: readonly Audited[],
  honest: readonly Audited[]
): void {
  report({ case: label, metric: 'exact_share', value: exactShare(pool), unit: '', n: tokensOf(pool) })
  for (const share of [1, PART]) {
    const random = createRandom(4)
    const runs = Array.from({ length: RUNS }, () => live(mixed(honest, pool, share, random)))
    const name = share === 1 ? label : `${label}, in ${100 * share} %`
    const rows = {
      tokens_to_set_aside_p50: quantile(
        runs.map(({ setAside }) => setAside),
        0.5
      ),
      tokens_to_set_aside_p99: quantile(
        runs.map(({ setAside }) => setAside),
        0.99
      ),
      tokens_to_conviction_p50: quantile(
        runs.map(({ convicted }) => convicted),
        0.5
      ),
      tokens_to_conviction_p99: quantile(
        runs.map(({ convicted }) => convicted),
        0.99
      )
    }
    for (const [metric, value] of Object.entries(rows)) report({ case: name, metric, value, unit: 'tokens', n: RUNS })
  }
}

async function reportCosts({ report, note, signal }: BenchContext): Promise<void> {
  const models = [
    { name: 'crumb', path: crumb.Q8_0.path, vocabulary: 4096, answerTokens: 256, rounds: 15 },
    {
      name: '0.5B, random weights',
      path: await randomModel(HALF_BILLION, crumb.Q8_0.path),
      vocabulary: 4096,
      answerTokens: 256,
      rounds: 5
    }
  ]
  for (const { name, path, ...options } of models) {
    const { audit, prefill, generation, rounds } = await measureCost(path, options, signal)
    report({ case: name, metric: 'audit_over_prefill', value: audit / prefill, unit: '', n: rounds })
    report({ case: name, metric: 'audit_over_generation', value: audit / generation, unit: '', n: rounds })
    report({ case: name, metric: 'audit', value: audit, unit: 'ms', n: rounds })
    note(`cost: ${name}`)
  }
}

/** Probabilities of a token's cell: honest over all pairs, cheats over all temperatures. */
async function writeDistribution(
  { note }: BenchContext,
  honest: ReadonlyMap<string, readonly Audited[]>,
  cheated: ReadonlyMap<string, readonly Audited[]>
): Promise<void> {
  const pools = new Map<string, Audited[]>([['honest', [...honest.values()].flat()]])
  for (const [label, pool] of cheated) {
    const name = label.slice(0, label.lastIndexOf(','))
    pools.set(name, [...(pools.get(name) ?? []), ...pool])
  }
  const sums = new Map([...pools].map(([name, pool]) => [name, sumOf(pool)]))
  const bins = [...sumOf([...pools.values()].flat()).entries()].flatMap(([cell, count]) => (count > 0 ? [cell] : []))
  const cases = Object.fromEntries(
    [...sums].map(([name, cells]) => {
      const all = cells.reduce((sum, count) => sum + count, 0)
      return [name, bins.map((cell) => Number((cells[cell]! / all).toPrecision(4)))]
    })
  )
  await writeFile(DISTRIBUTION, `${JSON.stringify({ bins, cases }, undefined, 2)}\n`)
  note('written: scripts/simulate/audit-distribution.json')
}

function sumOf(pool: readonly Audited[]): number[] {
  const sum = Array.from({ length: pool[0]!.cells.length }, () => 0)
  for (const { cells } of pool) cells.forEach((count, cell) => (sum[cell]! += count))
  return sum
}

const tokensOf = (pool: readonly Audited[]): number => pool.reduce((sum, { tokens }) => sum + tokens, 0)

function exactShare(pool: readonly Audited[]): number {
  return 1 - pool.reduce((sum, { mismatches }) => sum + mismatches.length, 0) / tokensOf(pool)
}
