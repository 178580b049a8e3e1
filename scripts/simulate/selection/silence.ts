/** How many requests meet a node that accepts them and never answers, and what that costs the callers. */
import { quantile } from '../../../test/bench/report.ts'
import { silentKeys } from '../attacks/silent-keys.ts'
import type { Figure } from '../report.ts'
import { simulateAttack, type AttackersOptions } from './attackers.ts'

/** Silent keys for each honest node. */
const KEYS = 4
/** The first requests of a client do not count, because in them it learns which nodes answer. */
const FIRST = 10

export async function silence(options: AttackersOptions, progress: (text: string) => void): Promise<Figure[]> {
  const figures: Figure[] = []
  for (const audits of ['none', 'pending', 'own'] as const) {
    for (const malicious of [0, KEYS * options.peers]) {
      const met: number[] = []
      const ttft: number[][] = []
      for (let seed = 1; seed <= options.seeds; seed++) {
        const waits: number[] = []
        let later = 0
        let ignored = 0
        await simulateAttack(silentKeys, audits, seed, { ...options, malicious }, ({ ttftMs, ignoredBy }, number) => {
          if (number <= FIRST) return
          later++
          waits.push(ttftMs)
          if (ignoredBy > 0) ignored++
        })
        met.push(ignored / later)
        ttft.push(waits)
      }
      const name = `${malicious} silent keys / audits: ${audits}`
      progress(name)
      const n = ttft.flat().length
      const at = (p: number): number[] => ttft.map((waits) => quantile(waits, p))
      figures.push(
        { case: name, metric: 'requests_that_met_one', unit: 'share', values: met, n, target: { most: 0.1 } },
        { case: name, metric: 'ttft_p50', unit: 'ms', values: at(0.5), n },
        { case: name, metric: 'ttft_p99', unit: 'ms', values: at(0.99), n }
      )
    }
  }
  return figures
}
