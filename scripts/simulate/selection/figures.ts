/** `simulate -- selection`: how long callers wait, with the product's selector and with each baseline. */
import { quantile } from '../../../test/bench/report.ts'
import { attackers } from './attackers.ts'
import { silence } from './silence.ts'
import { BASELINES, type PolicyName } from '../policies/selectors.ts'
import type { Figure } from '../report.ts'
import { OTHERS_REMEMBER, simulate, type Measured, type RunOptions, type Variant } from './run.ts'

export interface SelectionOptions extends RunOptions {
  seeds: number
}

export async function selection(options: SelectionOptions, progress: (text: string) => void): Promise<Figure[]> {
  const figures = [...(await attackers(options, progress)), ...(await silence(options, progress))]
  const seeds = Array.from({ length: options.seeds }, (_, index) => index + 1)
  const run = async (policy: PolicyName, variant: Variant = {}): Promise<Measured[]> => {
    const start = performance.now()
    const runs: Measured[] = []
    for (const seed of seeds) runs.push(await simulate(policy, seed, options, variant))
    progress(`${policy} ${JSON.stringify(variant)}: ${((performance.now() - start) / 1000).toFixed(1)} s`)
    return runs
  }
  const add = (name: string, runs: readonly Measured[]): void => {
    const n = runs.reduce((sum, { requests }) => sum + requests, 0)
    const figure = (metric: string, unit: string, of: (run: Measured) => number, target?: Figure['target']): void => {
      figures.push({ case: name, metric, unit, values: runs.map(of), n, ...(target === undefined ? {} : { target }) })
    }
    figure('ttft_p50', 'ms', ({ ttft }) => quantile(ttft, 0.5))
    figure('ttft_p99', 'ms', ({ ttft }) => quantile(ttft, 0.99))
    figure('completion_p50', 'ms', ({ total }) => quantile(total, 0.5))
    figure('completion_p99', 'ms', ({ total }) => quantile(total, 0.99))
    const ours = name === 'potluck'
    figure('prefix_hits', 'share', (one) => one.prefixHits / one.followUps, ours ? { least: 0.9 } : undefined)
    if (name.startsWith('potluck')) {
      figure('duplicate_prefills', 'share', (one) => one.duplicatePrefills / one.requests, { most: 0.03 })
      figure('hedges', 'share', (one) => one.hedges / one.requests, { most: 0.035 })
    }
    figure('failed_requests', 'share', (one) => one.failures / one.requests)
    figure('slots_busy', 'share', ({ utilisation }) => utilisation)
  }
  const ours = await run('potluck')
  add('potluck', ours)
  const theirs: Array<readonly [string, Measured[]]> = []
  for (const name of BASELINES) theirs.push([name, await run(name)])
  for (const [name, runs] of theirs) add(name, runs)

  // For each seed, compares the product with the better of `least_of_two` and `least_own_of_two`.
  const rivals = theirs.filter(([name]) => name.startsWith('least')).map(([, runs]) => runs)
  const ratio = (metric: string, of: (run: Measured) => number[], most: number): void => {
    const values = ours.map((one, index) => {
      const best = Math.min(...rivals.map((runs) => quantile(of(runs[index]!), 0.99)))
      return quantile(of(one), 0.99) / best
    })
    const n = ours.reduce((sum, { requests }) => sum + requests, 0)
    figures.push({ case: 'potluck / least of two', metric, unit: 'ratio', values, n, target: { most } })
  }
  ratio('ttft_p99_ratio', ({ ttft }) => ttft, 0.5)
  ratio('completion_p99_ratio', ({ total }) => total, 0.6)
  add('potluck, nobody audits', await run('potluck', { audits: false }))
  add('potluck, nobody audits, no hedges', await run('potluck', { audits: false, hedges: false }))
  for (const remembered of OTHERS_REMEMBER) {
    add(`potluck, ${remembered} remembered`, await run('potluck', { remembered }))
  }
  return figures
}
