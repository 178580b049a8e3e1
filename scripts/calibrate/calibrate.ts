/** The calibration. See `../calibrate.ts`. */
import { writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { distancesOf } from '@potluck/protocol'
import { TOKEN_CELLS } from '../../client/evidence/bins.ts'
import { countMeasured } from '../../client/evidence/count.ts'
import { crumb } from '../../node/models/crumb.ts'
import { honestHistogram } from './histogram.ts'
import { haveSameArithmetic, honestAnswers, honestAudits, type HonestAudit } from './variations.ts'
import { WorkerPool } from './worker-pool.ts'

const TARGET = new URL('../../client/evidence/honest.ts', import.meta.url)
/** Not the seed of the benchmark `audit`, so that the benchmark measures other answers. */
const SEED = 1

/** @param tokens answer tokens for each variation */
export async function calibrate(tokens: number, signal: AbortSignal): Promise<void> {
  const pool = new WorkerPool(signal, (text) => console.error(text))
  const cells: number[][] = []
  for (const sampling of ['every', 'adversarial'] as const) {
    const made = await honestAnswers(crumb.Q8_0.path, { tokens, seed: SEED, sampling }, pool)
    const audits = await honestAudits(crumb.Q8_0.path, made, pool)
    for (const audit of audits) console.log(summary(audit))
    // Leaves out pairs with the same arithmetic. Their logits agree to the bit, so their margins of 0 would hide the
    // noise of the other pairs.
    cells.push(countCells(audits.filter((audit) => !haveSameArithmetic(audit))))
  }
  const rows = honestHistogram(cells).map((row) => `  [${row.join(', ')}]`)
  await writeFile(
    TARGET,
    `/**
 * How far honest nodes differ. One row for each gap: the probability of an exact token, then of a margin
 * in each bin. Written by \`npm run calibrate\`. Do not edit it.
 */
export const HONEST: readonly (readonly number[])[] = [
${rows.join(',\n')}
]
`
  )
  console.error(`Wrote ${fileURLToPath(TARGET)}.`)
}

function countCells(audits: readonly HonestAudit[]): number[] {
  const sum = Array.from({ length: TOKEN_CELLS }, () => 0)
  for (const { answers, measured } of audits) {
    answers.forEach((answer, index) => {
      const { margins, fingerprints } = measured[index]!
      const { cells } = countMeasured(answer, margins, distancesOf(answer.fingerprints, fingerprints))
      for (let cell = 0; cell < TOKEN_CELLS; cell++) sum[cell]! += cells[cell]!
    })
  }
  return sum
}

function summary({ node, auditor, measured }: HonestAudit): string {
  const tokens = measured.flatMap(({ margins }) => margins)
  const exact = tokens.filter(({ margin }) => margin === 0).length
  const largest = tokens.reduce((most, { margin }) => Math.max(most, margin), 0)
  const share = ((100 * exact) / tokens.length).toFixed(2)
  return `${node}, audited by ${auditor}: ${tokens.length} tokens, ${share} % exact, largest margin ${largest.toFixed(3)}`
}
