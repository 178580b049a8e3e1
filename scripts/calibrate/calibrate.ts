/** The calibration. See `../calibrate.ts`. */
import { writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { BINS, cellOf, OUTCOMES } from '../../client/evidence/bins.ts'
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
  const made = await honestAnswers(crumb.Q8_0.path, { tokens, seed: SEED }, pool)
  const audits = await honestAudits(crumb.Q8_0.path, made, pool)
  for (const audit of audits) console.log(summary(audit))
  // Leaves out pairs with the same arithmetic. Their logits agree to the bit, so their margins of 0 would hide the
  // noise of the other pairs.
  const differing = audits.filter((audit) => !haveSameArithmetic(audit))
  const rows = honestHistogram(countCells(differing)).map((row) => `  [${row.join(', ')}]`)
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
  const cells = Array.from({ length: BINS * OUTCOMES }, () => 0)
  for (const { measured } of audits) {
    for (const { gap, margin } of measured.flatMap(({ margins }) => margins)) cells[cellOf(gap, margin)]!++
  }
  return cells
}

function summary({ node, auditor, measured }: HonestAudit): string {
  const tokens = measured.flatMap(({ margins }) => margins)
  const exact = tokens.filter(({ margin }) => margin === 0).length
  const largest = tokens.reduce((most, { margin }) => Math.max(most, margin), 0)
  const share = ((100 * exact) / tokens.length).toFixed(2)
  return `${node}, audited by ${auditor}: ${tokens.length} tokens, ${share} % exact, largest margin ${largest.toFixed(3)}`
}
