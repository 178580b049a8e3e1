/**
 * `simulate -- reputation`: who gets bad answers, under each attack and with each way to choose.
 *
 * Peers serve one model; a share of them is malicious. Each client asks 200 times, one request after
 * the other, and knows nothing of any peer at first. A bad answer is one that the caller saw and that
 * came from another file than the one claimed.
 */
import type { Attack } from './attacks/attack.ts'
import { camouflage } from './attacks/camouflage.ts'
import { collusion } from './attacks/collusion.ts'
import { liars } from './attacks/liars.ts'
import { praise } from './attacks/praise.ts'
import { slander } from './attacks/slander.ts'
import { traitors } from './attacks/traitors.ts'
import { whitewashing } from './attacks/whitewashing.ts'
import { Clock } from './clock.ts'
import { Auditing } from './policies/auditing.ts'
import { leastOfTwo, randomChoice, roundRobin } from './policies/baselines.ts'
import { DIGEST, PotluckPolicy } from './policies/potluck.ts'
import type { Policy, PolicyContext } from './policies/policy.ts'
import { Random } from './random.ts'
import type { Figure } from './report.ts'
import { AuditModel, HONEST } from './world/audit.ts'
import { Network } from './world/network.ts'
import { sender } from './world/request.ts'
import { Rumours } from './world/rumours.ts'
import { population } from './world/traits.ts'
import { nextAsk } from './world/workload.ts'

export interface ReputationOptions {
  peers: number
  maliciousShare: number
  clients: number
  requests: number
  seeds: number
  /** Only this attack, by name. */
  attack?: string
}

const ATTACKS: readonly Attack[] = [liars, camouflage, whitewashing, collusion, praise, slander, traitors]
const BASELINES = {
  random: randomChoice,
  round_robin: roundRobin,
  least_of_two: leastOfTwo
} satisfies Record<string, (context: PolicyContext) => Policy>
type PolicyName = 'potluck' | keyof typeof BASELINES
const MEAN_PAUSE_MS = 20_000
/** The first requests of a client, in which it has to learn. */
const LEARNING = 50

interface Tally {
  answers: number
  bad: number
  lateAnswers: number
  lateBad: number
  /** (client, honest peer) pairs that met in an audit, and those that were ever set aside. */
  audited: Set<string>
  setAside: Set<string>
  spentAnswers: number
  spentAudits: number
}

function simulate(
  attack: Attack,
  name: PolicyName,
  seed: number,
  options: ReputationOptions,
  shareProofs: boolean
): Tally {
  const random = new Random(seed)
  const clock = new Clock()
  const model = AuditModel.load()
  const traits = population({ ...options, cachedConversations: 8 }, random)
  const network = new Network(traits, clock, random)
  const rumours = new Rumours(clock, random, model, { shareProofs })
  const tally: Tally = {
    answers: 0,
    bad: 0,
    lateAnswers: 0,
    lateBad: 0,
    audited: new Set(),
    setAside: new Set(),
    spentAnswers: 0,
    spentAudits: 0
  }
  const honest = network.members.filter(({ peer }) => peer.traits.honest)
  const malicious = network.members.filter(({ peer }) => !peer.traits.honest)
  attack.begin({ malicious, honest, cheats: model.cheats, rumours, clock, random })

  let running = options.clients
  for (let index = 0; index < options.clients; index++) {
    const client = `client-${index}`
    const context = { client, peers: () => network.members, now: clock.now, random: random.next }
    const ours = name === 'potluck' ? new PotluckPolicy(context) : undefined
    const auditing = ours && new Auditing(client, ours, network, model, rumours)
    const send =
      ours === undefined
        ? sender(network, client, BASELINES[name as keyof typeof BASELINES](context))
        : sender(network, client, ours)
    let asked = 0
    const ask = (): void => {
      if (asked === options.requests) {
        if (ours !== undefined && auditing !== undefined) close(ours, auditing)
        running--
        return
      }
      asked++
      const number = asked
      const next = nextAsk(`${client}-${number}`, undefined, random)
      send(next, ({ receipt, cachedTokens }) => {
        const bad = receipt.served !== HONEST
        tally.answers++
        tally.bad += Number(bad)
        if (number > LEARNING) {
          tally.lateAnswers++
          tally.lateBad += Number(bad)
        }
        auditing?.answered(receipt, cachedTokens)
        clock.after(random.exponential(MEAN_PAUSE_MS), ask)
      })
    }
    const close = (potluck: PotluckPolicy, { spent }: Auditing): void => {
      tally.spentAnswers += spent.answers
      tally.spentAudits += spent.audits
      for (const { key, peer } of honest) {
        const pair = `${client} ${peer.traits.index}`
        const { integrity } = potluck.reputation.state(key, DIGEST)
        if ((integrity.evidence?.answers ?? 0) > 0) tally.audited.add(pair)
        if ((integrity.evidence?.peak ?? 0) >= Math.log(potluck.reputation.parameters.setAsideEvidence)) {
          tally.setAside.add(pair)
        }
      }
    }
    clock.after(random.exponential(MEAN_PAUSE_MS), ask)
  }
  // Rumours and probes would go on for ever.
  while (running > 0) clock.runUntil(clock.now() + 60_000)
  return tally
}

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
    add(label, ours, 'false_set_asides', ({ setAside, audited }) => [setAside.size, audited.size], { most: 0.001 })
    add(label, ours, 'audit_share', ({ spentAudits, spentAnswers }) => [spentAudits, spentAnswers], { most: 0.05 })
    if (attack === liars) {
      const alone = run('potluck', false)
      add(`${attack.name} / potluck, no proofs shared`, alone, 'bad_answer_share', ({ bad, answers }) => [bad, answers])
      add(`${attack.name} / potluck, no proofs shared`, alone, 'bad_answer_share_after_50', (tally) => [
        tally.lateBad,
        tally.lateAnswers
      ])
    }
    for (const baseline of Object.keys(BASELINES) as PolicyName[]) {
      add(`${attack.name} / ${baseline}`, run(baseline), 'bad_answer_share', ({ bad, answers }) => [bad, answers])
    }
  }
  return figures
}
