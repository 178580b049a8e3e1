/**
 * One run: all peers serve one model, and a share of them is malicious. Each client asks 200 times, one
 * request after the other, and knows no peer at the beginning. Clients do not share what they find. A bad
 * answer is an answer that the caller received and that came from another model file than the claimed one.
 */
import type { Attack } from '../attacks/attack.ts'
import { Clock } from '../clock.ts'
import { Auditing } from '../policies/auditing.ts'
import { BASELINES, type BaselineName } from '../policies/baselines.ts'
import { DIGEST, PotluckPolicy } from '../policies/potluck.ts'
import { Random } from '../random.ts'
import { AuditModel, HONEST } from '../world/audit.ts'
import { Directory } from '../world/directory.ts'
import { Network } from '../world/network.ts'
import { sender } from '../world/request.ts'
import { population } from '../world/traits.ts'
import { nextAsk } from '../world/workload.ts'

export interface RunOptions {
  peers: number
  maliciousShare: number
  clients: number
  requests: number
}

export type PolicyName = 'potluck' | BaselineName
const MEAN_PAUSE_MS = 20_000
/** The first requests of a client, in which it does not know the peers yet. */
const LEARNING = 50

export interface Tally {
  answers: number
  bad: number
  lateAnswers: number
  lateBad: number
  /** Pairs (client, honest peer) with an audit, and the pairs of them in which the client ever quarantined the peer. */
  audited: Set<string>
  quarantined: Set<string>
  spentAnswers: number
  spentAudits: number
}

export function simulate(attack: Attack, name: PolicyName, seed: number, options: RunOptions): Tally {
  const random = new Random(seed)
  const clock = new Clock()
  const model = AuditModel.load()
  const traits = population({ ...options, remembered: 0 }, random)
  const network = new Network(traits, clock, random)
  const tally: Tally = {
    answers: 0,
    bad: 0,
    lateAnswers: 0,
    lateBad: 0,
    audited: new Set(),
    quarantined: new Set(),
    spentAnswers: 0,
    spentAudits: 0
  }
  const honest = network.members.filter(({ peer }) => peer.traits.honest)
  const malicious = network.members.filter(({ peer }) => !peer.traits.honest)
  attack.begin({ malicious, cheats: model.cheats, clock, random })

  let running = options.clients
  for (let index = 0; index < options.clients; index++) {
    const client = `client-${index}`
    const { peers } = new Directory(network)
    const context = { client, peers, now: clock.now, random: random.next }
    const policy = name === 'potluck' ? new PotluckPolicy(context) : BASELINES[name](context)
    const ours = policy instanceof PotluckPolicy ? policy : undefined
    const auditing = ours && new Auditing(client, ours, network, model)
    const send = sender(network, client, policy)
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
        const { quarantineEvidence } = potluck.reputation.parameters
        const wronged = (integrity.evidence?.peak ?? 0) >= Math.log(quarantineEvidence) || integrity.banned
        if (wronged) tally.quarantined.add(pair)
        if (wronged || integrity.evidence !== undefined) tally.audited.add(pair)
      }
    }
    clock.after(random.exponential(MEAN_PAUSE_MS), ask)
  }
  // Probes would go on for ever, so the run ends with the last request.
  while (running > 0) clock.runUntil(clock.now() + 60_000)
  return tally
}
