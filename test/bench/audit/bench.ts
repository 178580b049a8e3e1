/** The audit benchmark. See `../audit.ts`. */
import { WorkerPool } from '../../../scripts/calibrate/worker-pool.ts'
import type { BenchContext } from '../report.ts'
import { cheatedPools, reportCheats } from './cheated.ts'
import { cheats, faintCheats, filesOf } from './cheats.ts'
import { reportCosts } from './cost.ts'
import { writeDistribution } from './distribution.ts'
import { honestPools, reportHonest } from './honest.ts'

/** Not the seed of the calibration, so that the benchmark measures other answers. */
const SEED = 2
/** Tokens of each pool. With these numbers, the audits cover more than 300,000 honest tokens. */
const HONEST_TOKENS = 10_000
const CHEATED_TOKENS = 24_000

export async function benchAudits(context: BenchContext): Promise<void> {
  const { args, note, signal } = context
  const modelPath = args.find((argument) => argument.endsWith('.gguf'))
  const scale = Number(args.find((argument) => argument !== modelPath && !argument.startsWith('--')) ?? 1)
  const files = await filesOf(modelPath)
  const workers = new WorkerPool(signal, note)
  const honest = await honestPools(files.Q8_0, { tokens: scale * HONEST_TOKENS, seed: SEED }, workers)
  reportHonest(context, honest)
  const spec = { tokens: scale * CHEATED_TOKENS, seed: SEED }
  const cheated = await cheatedPools({ ...cheats(files), ...faintCheats(files) }, spec, workers)
  reportCheats(context, cheated, honest[0]!.pool)
  if (args.includes('--write-distribution')) {
    await writeDistribution(
      honest.flatMap(({ pool }) => pool),
      cheated.filter(({ name }) => name in cheats(files))
    )
    note('Wrote scripts/simulate/audit-distribution.json.')
  }
  await reportCosts(context)
}
