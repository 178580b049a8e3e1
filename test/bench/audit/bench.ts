/** The audit benchmark. See `../audit.ts`. */
import { WorkerPool } from '../../../scripts/calibrate/worker-pool.ts'
import type { BenchContext } from '../report.ts'
import { cheatedPools, reportCheats } from './cheated.ts'
import { cheats, faintCheats, filesOf } from './cheats.ts'
import { reportCosts } from './cost.ts'
import { writeDistribution } from './distribution.ts'
import { exactPool, honestPools, reportHonest } from './honest.ts'

/** The parts of the benchmark. Without any of these words, it runs all. */
const PARTS = ['honest', 'cheats', 'cost']
/** Not the seed of the calibration, so that the benchmark measures other answers. */
const SEED = 2
/** Tokens of each pool. With these numbers, the audits cover more than 300,000 honest tokens. */
const HONEST_TOKENS = 10_000
const CHEATED_TOKENS = 24_000
/** Enough answers for a peer that cheats in few of them. */
const PARTLY_HONEST_TOKENS = 8_000

export async function benchAudits(context: BenchContext): Promise<void> {
  const { args, report, note, signal } = context
  const modelPath = args.find((argument) => argument.endsWith('.gguf'))
  const scale = Number(args.find((argument) => Number(argument) > 0) ?? 1)
  const files = await filesOf(modelPath)
  const workers = new WorkerPool(signal, note)
  const noises = new Map<string, Promise<number>>()
  const noiseOf = async (path: string): Promise<number> => {
    const measured = noises.get(path) ?? workers.noise({ modelPath: path }, 'noise')
    noises.set(path, measured)
    return measured
  }
  report({ case: 'Q8_0', metric: 'noise', value: await noiseOf(files.Q8_0), unit: 'logits', n: 1 })
  const honestSpec = { tokens: scale * HONEST_TOKENS, seed: SEED }
  const cheatedSpec = { tokens: scale * CHEATED_TOKENS, seed: SEED }
  const runs = (part: string): boolean => args.includes(part) || !PARTS.some((other) => args.includes(other))
  const honest = runs('honest') ? await honestPools(files.Q8_0, honestSpec, workers, await noiseOf(files.Q8_0)) : []
  if (runs('honest')) {
    reportHonest(context, 'honest', honest)
    const adversarial = { ...honestSpec, seed: SEED + 1, sampling: 'adversarial' } as const
    const pools = await honestPools(files.Q8_0, adversarial, workers, await noiseOf(files.Q8_0))
    reportHonest(context, 'honest, adversarial requests', pools)
  }
  const cheated = runs('cheats')
    ? await cheatedPools({ ...cheats(files), ...faintCheats(files) }, cheatedSpec, workers, noiseOf)
    : []
  if (runs('cheats'))
    reportCheats(context, cheated, await exactPool(files.Q8_0, { tokens: PARTLY_HONEST_TOKENS, seed: SEED }, workers))
  if (args.includes('--write-distribution')) {
    await writeDistribution(
      honest.flatMap(({ pool }) => pool),
      cheated.filter(({ name }) => name in cheats(files))
    )
    note('Wrote scripts/simulate/audit-distribution.json.')
  }
  if (runs('cost')) await reportCosts(context)
}
