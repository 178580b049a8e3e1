/** The calibration, see `../calibrate.ts`. */
import { writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { BINS, cellOf, OUTCOMES } from '../../client/evidence/bins.ts'
import { crumb } from '../../node/models/crumb.ts'
import { honestHistogram } from './histogram.ts'
import { Laboratory } from './laboratory.ts'
import { areAlike, honestAnswers, honestAudits, type HonestAudit } from './variations.ts'

const TARGET = new URL('../../client/evidence/honest.ts', import.meta.url)
/** The benchmark's answers have other seeds. */
const SEED = 1

/** @param tokens for each way to compute */
export async function calibrate(tokens: number, signal: AbortSignal): Promise<void> {
  const laboratory = new Laboratory(signal, (text) => console.error(text))
  const made = await honestAnswers(crumb.Q8_0.path, { tokens, seed: SEED }, laboratory)
  const audits = await honestAudits(crumb.Q8_0.path, made, laboratory)
  for (const audit of audits) console.log(summary(audit))
  // Two that agree to the bit would hide how far others differ.
  const differing = audits.filter((audit) => !areAlike(audit))
  const rows = honestHistogram(countCells(differing)).map((row) => `  [${row.join(', ')}]`)
  await writeFile(
    TARGET,
    `/**
 * How far honest nodes differ. One row for each gap: the probability of an exact token, then of a margin
 * in each bin. Written by \`node scripts/calibrate.ts\`, which explains how. Do not edit it.
 */
export const HONEST: readonly (readonly number[])[] = [
${rows.join(',\n')}
]
`
  )
  console.error(`written: ${fileURLToPath(TARGET)}`)
}

function countCells(audits: readonly HonestAudit[]): number[] {
  const cells = Array.from({ length: BINS * OUTCOMES }, () => 0)
  for (const { measured } of audits) for (const { gap, margin } of measured.flat()) cells[cellOf(gap, margin)]!++
  return cells
}

function summary({ node, auditor, measured }: HonestAudit): string {
  const tokens = measured.flat()
  const exact = tokens.filter(({ margin }) => margin === 0).length
  const largest = tokens.reduce((most, { margin }) => Math.max(most, margin), 0)
  const share = ((100 * exact) / tokens.length).toFixed(2)
  return `${node}, audited ${auditor}: ${tokens.length} tokens, ${share} % exact, largest margin ${largest.toFixed(3)}`
}
