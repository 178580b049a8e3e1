/** The calibration, see `../calibrate.ts`. */
import { writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { BINS, cellOf, OUTCOMES } from '../../client/audit/bins.ts'
import { crumb } from '../../node/models/crumb.ts'
import { answers, everySampling } from './answers.ts'
import { measureAll } from './audits.ts'
import type { Generated, LabEngine } from './engine.ts'
import { honestHistogram } from './histogram.ts'
import { HONEST_VARIATIONS, startVariation } from './variations.ts'

const TARGET = new URL('../../client/audit/honest.ts', import.meta.url)
/** The benchmark's answers have other seeds. */
const SEED = 1

/**
 * Backends that could not be measured may differ by more. With every margin and gap counted as
 * twice its size the histogram is that of nodes with twice the noise.
 */
const HEADROOM = 2
/** Tokens of a variation that is like another, of those that the others get. */
const LIKE_SHARE = 0.02

async function makeAnswers(tokens: number, signal: AbortSignal): Promise<Map<string, Generated[]>> {
  const made = new Map<string, Generated[]>()
  for (const [name, variation] of Object.entries(HONEST_VARIATIONS)) {
    const engine = await startVariation(crumb.Q8_0.path, variation)
    const wanted = {
      tokens: variation.like === undefined ? tokens : tokens * LIKE_SHARE,
      seed: SEED,
      sampling: everySampling
    }
    made.set(name, await answers(engine, wanted, signal))
    await engine.close()
    console.error(`${name}: answers made`)
  }
  return made
}

/** Prints what it sees; returns the counts by cell. */
async function measure(
  label: string,
  auditor: LabEngine,
  made: readonly Generated[],
  signal: AbortSignal
): Promise<number[]> {
  const cells = Array.from({ length: BINS * OUTCOMES }, () => 0)
  let tokens = 0
  let exact = 0
  let largest = 0
  for (const { gap, margin } of (await measureAll(auditor, made, signal)).flat()) {
    cells[cellOf(HEADROOM * gap, HEADROOM * margin)]!++
    tokens++
    if (margin === 0) exact++
    largest = Math.max(largest, margin)
  }
  const share = ((100 * exact) / tokens).toFixed(2)
  console.log(`${label}: ${tokens} tokens, ${share} % exact, largest margin ${largest.toFixed(3)}`)
  return cells
}

/** @param tokens for each way to compute */
export async function calibrate(tokens: number, signal: AbortSignal): Promise<void> {
  const made = await makeAnswers(tokens, signal)
  const pairs = new Map<string, number[]>()
  for (const [name, variation] of Object.entries(HONEST_VARIATIONS)) {
    if (variation.like !== undefined) continue
    const auditor = await startVariation(crumb.Q8_0.path, variation)
    for (const [node, pool] of made) {
      const cells = await measure(`${node}, audited ${name}`, auditor, pool, signal)
      const pair = `${HONEST_VARIATIONS[node]?.like ?? node}, ${name}`
      const others = pairs.get(pair)
      pairs.set(pair, others === undefined ? cells : cells.map((count, cell) => count + others[cell]!))
    }
    await auditor.close()
  }
  const rows = honestHistogram([...pairs.values()]).map((row) => `  [${row.join(', ')}]`)
  await writeFile(
    TARGET,
    `/**
 * How far honest nodes differ: by gap, the probabilities of an exact token and of a margin in each bin.
 * Written by \`node scripts/calibrate.ts\`, which says how; not to be edited.
 */
export const HONEST: readonly (readonly number[])[] = [
${rows.join(',\n')}
]
`
  )
  console.error(`written: ${fileURLToPath(TARGET)}`)
}
