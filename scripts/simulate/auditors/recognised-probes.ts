/**
 * `simulate -- probes`: how many answers malicious nodes forge if they answer honestly each request that they take for
 * a probe. They also lie in audits.
 */
import type { Figure } from '../report.ts'
import { simulateAuditors, type Means, type RunOptions, type Tally } from './run.ts'

export interface RecognisedProbesOptions extends Omit<RunOptions, 'accuracy'> {
  seeds: number
}

/** Chance, the target for a classifier that does not see the texts, two better classifiers, and a perfect one. */
const ACCURACIES: readonly number[] = [0.5, 0.55, 0.75, 0.99, 1]
/** The usual client first: without an engine of its own, with private requests. */
const MEANS: readonly Means[] = ['probes', 'some shareable', 'own engine']

const METRICS: ReadonlyArray<[string, (tally: Tally) => [number, number]]> = [
  ['bad_answers', ({ bad, answers }) => [bad, answers]],
  ['cheats_praised', ({ cheatPraised, cheatPairs }) => [cheatPraised, cheatPairs]],
  ['cheats_undetected', ({ cheatUndetected, cheatPairs }) => [cheatUndetected, cheatPairs]],
  ['honest_excluded', ({ honestExcluded, honestPairs }) => [honestExcluded, honestPairs]],
  ['audit_share', ({ spentAudits, spentAnswers }) => [spentAudits, spentAnswers]]
]

export async function recognisedProbes(
  options: RecognisedProbesOptions,
  note: (text: string) => void
): Promise<Figure[]> {
  const figures: Figure[] = []
  for (const means of MEANS) {
    for (const accuracy of ACCURACIES) {
      const name = `${means}, ${Math.round(100 * accuracy)} % recognised`
      const start = performance.now()
      const tallies: Tally[] = []
      for (let seed = 1; seed <= options.seeds; seed++) {
        tallies.push(await simulateAuditors(means, seed, { ...options, accuracy }))
      }
      note(`${name}: ${((performance.now() - start) / 1000).toFixed(1)} s`)
      for (const [metric, of] of METRICS) {
        const parts = tallies.map(of)
        const values = parts.map(([part, whole]) => (whole === 0 ? 0 : part / whole))
        figures.push({ case: name, metric, unit: 'share', values, n: parts.reduce((sum, [, whole]) => sum + whole, 0) })
      }
    }
  }
  return figures
}
