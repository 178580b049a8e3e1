/**
 * `node scripts/calibrate.ts [MODEL] [TOKENS]`: measures how far honest nodes differ in the same file,
 * and writes `client/audit/honest.ts`. Again after every change of the engine or of the embedded model.
 *
 * MODEL: a Q8_0 file (default: crumb). TOKENS: for each variation (default 40,000).
 */
process.env.UV_THREADPOOL_SIZE = '1'

import { writeFile } from 'node:fs/promises'
import { BINS, cellOf, OUTCOMES } from '../client/audit/bins.ts'
import { measureAnswer } from '../client/audit/measure.ts'
import { crumb } from '../node/models/crumb.ts'
import { answers } from './calibrate/answers.ts'
import type { Generated } from './calibrate/engine.ts'
import { honestHistogram } from './calibrate/histogram.ts'
import { HONEST_VARIATIONS, startVariation } from './calibrate/variations.ts'

const TARGET = new URL('../client/audit/honest.ts', import.meta.url)
const SEED = 1

/**
 * Backends that could not be measured may differ by more. With every margin and gap counted as
 * twice its size the histogram is that of nodes with twice the noise.
 */
const HEADROOM = 2

/** Every step of the contract takes part: temperatures, filters on and off, penalties. */
const sampling = (index: number): object => ({
  temperature: [0, 0.7, 1][index % 3]!,
  ...(index % 5 === 0 ? { topK: 0, topP: 1, minP: 0 } : {}),
  ...(index % 7 === 0 ? { presencePenalty: 0.2, frequencyPenalty: 0.3 } : {})
})

const [modelPath = crumb.Q8_0.path, tokens = '40000'] = process.argv.slice(2)
const interrupted = new AbortController()
process.once('SIGINT', () => interrupted.abort(new Error('Interrupted.')))
const { signal } = interrupted

const pool = new Map<string, Generated[]>()
for (const [name, variation] of Object.entries(HONEST_VARIATIONS)) {
  const engine = await startVariation(modelPath, variation)
  pool.set(name, await answers(engine, { tokens: Number(tokens), seed: SEED, sampling }, signal))
  await engine.close()
  console.error(`${name}: answers made`)
}

const pairs: number[][] = []
for (const [auditor, variation] of Object.entries(HONEST_VARIATIONS)) {
  const engine = await startVariation(modelPath, variation)
  for (const [node, made] of pool) {
    const cells = new Array<number>(BINS * OUTCOMES).fill(0)
    let largest = 0
    for (const answer of made) {
      const scores = await engine.score(answer, signal)
      for (const { gap, margin } of measureAnswer(scores, answer.sampling, answer.answerTokens)) {
        cells[cellOf(HEADROOM * gap, HEADROOM * margin)]!++
        largest = Math.max(largest, margin)
      }
    }
    pairs.push(cells)
    const all = cells.reduce((sum, count) => sum + count, 0)
    const exact = cells.filter((_, cell) => cell % OUTCOMES === 0).reduce((sum, count) => sum + count, 0)
    const share = ((100 * exact) / all).toFixed(2)
    console.log(`${node} | audited: ${auditor} | ${all} tokens | ${share} % exact | largest margin ${largest.toFixed(3)}`)
  }
  await engine.close()
}

const rows = honestHistogram(pairs).map((row) => `  [${row.join(', ')}]`)
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
