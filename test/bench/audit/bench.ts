/** The audit benchmark, see `../audit.ts`. */
import { crumb } from '../../../node/models/crumb.ts'
import { Laboratory } from '../../../scripts/calibrate/laboratory.ts'
import type { BenchContext } from '../report.ts'
import { cheatedPools, reportCheats } from './cheated.ts'
import { CHEATS, FAINT_CHEATS } from './cheats.ts'
import { reportCosts } from './cost.ts'
import { writeDistribution } from './distribution.ts'
import { honestPools, reportHonest } from './honest.ts'

/** The calibration's answers have other seeds. */
const SEED = 2
/** Tokens of each pool. With these 300,000 honest tokens are audited, and few runs share an answer. */
const HONEST_TOKENS = 10_000
const CHEATED_TOKENS = 24_000

export async function benchAudits(context: BenchContext): Promise<void> {
  const { args, note, signal } = context
  const scale = Number(args.find((argument) => !argument.startsWith('--')) ?? 1)
  const laboratory = new Laboratory(signal, note)
  const honest = await honestPools(crumb.Q8_0.path, { tokens: scale * HONEST_TOKENS, seed: SEED }, laboratory)
  reportHonest(context, honest)
  const wanted = { tokens: scale * CHEATED_TOKENS, seed: SEED }
  const cheated = await cheatedPools({ ...CHEATS, ...FAINT_CHEATS }, wanted, laboratory)
  reportCheats(context, cheated, honest[0]!.pool)
  if (args.includes('--write-distribution')) {
    await writeDistribution(
      honest.flatMap(({ pool }) => pool),
      cheated.filter(({ name }) => name in CHEATS)
    )
    note('written: scripts/simulate/audit-distribution.json')
  }
  await reportCosts(context)
}
