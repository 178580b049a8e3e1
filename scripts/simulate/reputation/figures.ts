/** `simulate -- reputation`: who gets bad answers, under each attack and with each way to choose. */
import { camouflage } from '../attacks/camouflage.ts'
import { collusion } from '../attacks/collusion.ts'
import { liars } from '../attacks/liars.ts'
import { praise } from '../attacks/praise.ts'
import { slander } from '../attacks/slander.ts'
import { traitors } from '../attacks/traitors.ts'
import { whitewashing } from '../attacks/whitewashing.ts'
import type { Attack } from '../attacks/attack.ts'
import { mean, type Figure } from '../report.ts'
import { simulate, type PolicyName, type RunOptions, type Tally } from './run.ts'

export interface ReputationOptions extends RunOptions {
  seeds: number
  /** Only this attack, by name. */
  attack?: string
}

const BESIDE: readonly PolicyName[] = ['random', 'round_robin', 'least_of_two']
const ATTACKS: readonly Attack[] = [liars, camouflage, whitewashing, collusion, praise, slander, traitors]

export function reputation(options: ReputationOptions, note: (text: string) => void): Figure[] {
  const figures: Figure[] = []
  const add = (
    name: string,
    tallies: readonly Tally[],
    metric: string,
    of: (tally: Tally) => [number, number],
    end?: Figure['end']
  ): void => {
    const parts = tallies.map(of)
    figures.push({
      case: name,
      metric,
      unit: 'share',
      values: parts.map(([part, whole]) => (whole === 0 ? 0 : part / whole)),
      n: parts.reduce((sum, [, whole]) => sum + whole, 0),
      ...(end === undefined ? {} : { end })
    })
  }
  const ends: Record<string, [number, number | undefined]> = {
    liars: [0.03, 0.01],
    camouflage: [0.05, undefined],
    whitewashing: [0.05, undefined],
    collusion: [0.03, 0.01],
    'praise ring': [0.03, 0.01],
    slander: [0.03, 0.01]
  }
  let undisturbed: readonly number[] | undefined
  const seeds = Array.from({ length: options.seeds }, (_, index) => index + 1)
  for (const attack of ATTACKS) {
    if (options.attack !== undefined && options.attack !== attack.name) continue
    const run = (policy: PolicyName, shareProofs = true): Tally[] => {
      const start = performance.now()
      const tallies = seeds.map((seed) => simulate(attack, policy, seed, options, shareProofs))
      note(`${attack.name}, ${policy}: ${((performance.now() - start) / 1000).toFixed(1)} s`)
      return tallies
    }
    const [most, mostLate] = ends[attack.name] ?? []
    const ours = run('potluck')
    const label = `${attack.name} / potluck`
    add(
      label,
      ours,
      'bad_answer_share',
      ({ bad, answers }) => [bad, answers],
      most === undefined ? undefined : { most }
    )
    add(
      label,
      ours,
      'bad_answer_share_after_50',
      ({ lateBad, lateAnswers }) => [lateBad, lateAnswers],
      mostLate === undefined ? undefined : { most: mostLate }
    )
    add(label, ours, 'false_quarantines', ({ quarantined, audited }) => [quarantined.size, audited.size], {
      most: 0.001
    })
    add(label, ours, 'audit_share', ({ spentAudits, spentAnswers }) => [spentAudits, spentAnswers], { most: 0.05 })
    const shares = ours.map(({ bad, answers }) => bad / answers)
    if (attack === liars) undisturbed = shares
    else if (undisturbed !== undefined && (attack === slander || attack === praise)) {
      figures.push(difference(`${label}, less liars alone`, shares, undisturbed))
    }
    if (attack === liars) {
      const alone = run('potluck', false)
      add(`${attack.name} / potluck, no proofs shared`, alone, 'bad_answer_share', ({ bad, answers }) => [bad, answers])
      add(`${attack.name} / potluck, no proofs shared`, alone, 'bad_answer_share_after_50', (tally) => [
        tally.lateBad,
        tally.lateAnswers
      ])
    }
    for (const baseline of BESIDE) {
      add(`${attack.name} / ${baseline}`, run(baseline), 'bad_answer_share', ({ bad, answers }) => [bad, answers])
    }
  }
  return figures
}

/** What an attack adds to another, seed by seed; nothing that can be told from chance is what is wanted. */
function difference(name: string, shares: readonly number[], others: readonly number[]): Figure {
  const values = shares.map((share, index) => share - others[index]!)
  const centre = mean(others)
  const deviation = Math.sqrt(mean(others.map((other) => (other - centre) ** 2)))
  return { case: name, metric: 'bad_answer_share', unit: 'share', values, n: values.length, end: { most: deviation } }
}
