/** `simulate -- auditors`: what colluding auditors achieve, by their share of all peers. */
import type { Figure } from '../report.ts'
import { simulateAuditors, type Means, type Tally } from './run.ts'

export interface AuditorsOptions {
  peers: number
  clients: number
  requests: number
  seeds: number
  /** Shares of colluding peers. */
  shares: readonly number[]
}

/** The usual client first: without an engine of its own, with private requests. */
const MEANS: readonly Means[] = ['probes', 'shareable', 'every answer', 'own engine']

const METRICS: ReadonlyArray<[string, (tally: Tally) => [number, number]]> = [
  ['bad_answers', ({ bad, answers }) => [bad, answers]],
  ['honest_excluded', ({ honestExcluded, honestPairs }) => [honestExcluded, honestPairs]],
  ['honest_suspected', ({ honestSuspected, honestPairs }) => [honestSuspected, honestPairs]],
  ['cheats_praised', ({ cheatPraised, cheatPairs }) => [cheatPraised, cheatPairs]],
  ['cheats_undetected', ({ cheatUndetected, cheatPairs }) => [cheatUndetected, cheatPairs]],
  ['liars_without_right', ({ liarsLost, liarPairs }) => [liarsLost, liarPairs]],
  ['honest_without_right', ({ honestLost, auditorPairs }) => [honestLost, auditorPairs]],
  ['audit_share', ({ spentAudits, spentAnswers }) => [spentAudits, spentAnswers]]
]

export async function auditors(options: AuditorsOptions, note: (text: string) => void): Promise<Figure[]> {
  const seeds = Array.from({ length: options.seeds }, (_, index) => index + 1)
  const figures: Figure[] = []
  for (const means of MEANS) {
    for (const colluding of options.shares) {
      const name = `${means}, ${Math.round(100 * colluding)} % collude`
      const start = performance.now()
      const tallies: Tally[] = []
      for (const seed of seeds) tallies.push(await simulateAuditors(means, seed, { ...options, colluding }))
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
