/** `simulate -- reputation`: the share of bad answers, for each attack and each policy. */
import { camouflage } from '../attacks/camouflage.ts'
import { liars } from '../attacks/liars.ts'
import { traitors } from '../attacks/traitors.ts'
import { whitewashing } from '../attacks/whitewashing.ts'
import type { Attack } from '../attacks/attack.ts'
import type { Figure } from '../report.ts'
import type { PolicyName } from '../policies/selectors.ts'
import { simulate, type RunOptions, type Tally } from './run.ts'

export interface ReputationOptions extends Omit<RunOptions, 'engine'> {
  seeds: number
  /** The name of the only attack to simulate. Default: all. */
  attack?: string
}

const BASELINES: readonly PolicyName[] = ['random', 'round_robin', 'least_of_two']
const ATTACKS: readonly Attack[] = [liars, camouflage, whitewashing, traitors]
/** The target for each attack: the largest share of bad answers, in all requests and after the first 50. */
const TARGETS: Readonly<Record<string, { all: number; late?: number }>> = {
  liars: { all: 0.03, late: 0.01 },
  camouflage: { all: 0.05 },
  whitewashing: { all: 0.05 }
}

export async function reputation(options: ReputationOptions, note: (text: string) => void): Promise<Figure[]> {
  const figures: Figure[] = []
  const add = (
    name: string,
    tallies: readonly Tally[],
    metric: string,
    of: (tally: Tally) => [number, number],
    target?: Figure['target']
  ): void => {
    const parts = tallies.map(of)
    figures.push({
      case: name,
      metric,
      unit: 'share',
      values: parts.map(([part, whole]) => (whole === 0 ? 0 : part / whole)),
      n: parts.reduce((sum, [, whole]) => sum + whole, 0),
      ...(target === undefined ? {} : { target })
    })
  }
  const seeds = Array.from({ length: options.seeds }, (_, index) => index + 1)
  for (const attack of ATTACKS) {
    if (options.attack !== undefined && options.attack !== attack.name) continue
    const run = async (policy: PolicyName, engine: boolean): Promise<Tally[]> => {
      const start = performance.now()
      const tallies: Tally[] = []
      for (const seed of seeds) tallies.push(await simulate(attack, policy, seed, { ...options, engine }))
      note(
        `${attack.name}, ${policy}, ${engine ? 'own engine' : 'no engine'}: ${((performance.now() - start) / 1000).toFixed(1)} s`
      )
      return tallies
    }
    // The usual client first: without an engine of its own.
    for (const engine of [false, true]) {
      const { all, late } = (engine ? TARGETS[attack.name] : undefined) ?? {}
      const ours = await run('potluck', engine)
      const label = `${attack.name} / potluck${engine ? '' : ', no own engine'}`
      add(label, ours, 'bad_answer_share', ({ bad, answers }) => [bad, answers], atMost(all))
      add(label, ours, 'bad_answer_share_after_50', ({ lateBad, lateAnswers }) => [lateBad, lateAnswers], atMost(late))
      const quarantines = ({ quarantined, audited }: Tally): [number, number] => [quarantined.size, audited.size]
      add(label, ours, 'false_quarantines', quarantines, atMost(0.001))
      add(label, ours, 'audit_share', ({ spentAudits, spentAnswers }) => [spentAudits, spentAnswers], atMost(0.05))
      add(label, ours, 'failed_requests', ({ failures, answers }) => [failures, answers])
    }
    for (const baseline of BASELINES) {
      const tallies = await run(baseline, true)
      add(`${attack.name} / ${baseline}`, tallies, 'bad_answer_share', ({ bad, answers }) => [bad, answers])
    }
  }
  return figures
}

function atMost(most: number | undefined): Figure['target'] {
  return most === undefined ? undefined : { most }
}
