/**
 * The client's audits: by its own engine, 2 s after the answer; probes of who was quarantined, until
 * they are banned or cleared; others' proofs checked before the accused is asked.
 *
 * Assumption: every client has an engine for the model, or a friend's that it trusts. A client
 * without one has to believe a majority of strangers, and here the majority lies.
 */
import { Accusations, auditCost, type Accusation } from '../../../client/reputation/index.ts'
import type { Random } from '../random.ts'
import type { AuditModel } from '../world/audit.ts'
import type { Network, Receipt } from '../world/network.ts'
import type { Proof, Rumours } from '../world/rumours.ts'
import { nextAsk } from '../world/workload.ts'
import { DIGEST, type PotluckPolicy } from './potluck.ts'
import type { Candidate } from './policy.ts'

const AUDIT_MS = 2_000
const PROBE_GAP_MS = 20_000
/** A prefill's token on a CPU, in generated ones: the worst case for the audits' share of the compute. */
const PREFILL_COST = 0.2

export interface Spent {
  /** Tokens of generation. */
  answers: number
  audits: number
}

export class Auditing {
  readonly spent: Spent = { answers: 0, audits: 0 }
  readonly #client: string
  readonly #policy: PotluckPolicy
  readonly #network: Network
  readonly #model: AuditModel
  readonly #rumours: Rumours
  readonly #random: Random
  readonly #accusations = new Accusations<Proof>()
  readonly #receipts = new Map<string, Receipt[]>()
  readonly #checking = new Set<string>()

  constructor(client: string, policy: PotluckPolicy, network: Network, model: AuditModel, rumours: Rumours) {
    this.#client = client
    this.#policy = policy
    this.#network = network
    this.#model = model
    this.#rumours = rumours
    this.#random = network.random
    policy.screen = (candidate) => this.#screen(candidate)
    rumours.listen({
      praised: (key) => policy.reputation.observe(key, DIGEST, { type: 'praised' }),
      accused: (accused, source, proof) => {
        if (source !== client) this.#accusations.add({ accused, source, proof })
      }
    })
  }

  answered(receipt: Receipt, cachedTokens: number): void {
    const { reputation } = this.#policy
    const tokens = receipt.promptTokens + receipt.tokens
    this.spent.answers += (receipt.promptTokens - cachedTokens) * PREFILL_COST + receipt.tokens
    if (!reputation.takeAudit(receipt.key, DIGEST, tokens, this.#random.next)) return
    this.#audit(receipt)
  }

  #audit(receipt: Receipt): void {
    const { reputation } = this.#policy
    this.spent.audits += auditCost(receipt.promptTokens + receipt.tokens, reputation.parameters)
    this.#network.clock.after(AUDIT_MS, () => {
      const { key, served, tokens } = receipt
      const before = reputation.standing(key, DIGEST)
      const known = reputation.state(key, DIGEST).integrity.evidence
      reputation.observe(key, DIGEST, { type: 'audit', ...this.#model.audit(served, tokens, known, this.#random) })
      const receipts = this.#receipts.get(key) ?? []
      this.#receipts.set(key, [...receipts, receipt])
      const after = reputation.standing(key, DIGEST)
      if (after === 'banned' && before !== 'banned') {
        this.#rumours.accuse(this.#client, this.#receipts.get(key) ?? [])
      } else if (after === 'quarantined') this.#probe(key)
    })
  }

  /** An ordinary request, to the peer alone; its answer goes to nobody. */
  #probe(key: string): void {
    const { reputation } = this.#policy
    const { clock } = this.#network
    const member = this.#network.members.find((one) => one.key === key)
    if (member === undefined || reputation.standing(key, DIGEST) !== 'quarantined') return
    const again = (): void => clock.after(this.#random.exponential(PROBE_GAP_MS), () => this.#probe(key))
    const ask = nextAsk(`probe-${this.#client}-${key}`, undefined, this.#random)
    const generation = ask.promptTokens * PREFILL_COST + ask.answerTokens
    const audit = auditCost(ask.promptTokens + ask.answerTokens, reputation.parameters)
    if (!reputation.takeBudget(generation + audit, 'probe')) return again()
    this.#network.send(this.#client, member, ask, {
      accepted: () => undefined,
      started: () => undefined,
      firstToken: () => undefined,
      failed: again,
      done: (receipt) => {
        this.spent.audits += generation
        this.#audit(receipt)
      }
    })
  }

  /** False: not now, somebody's proof against this newcomer is being checked. */
  #screen({ key }: Candidate): boolean {
    const accusation = this.#accusations.against(key)
    if (accusation !== undefined && !this.#checking.has(key)) this.#recheck(accusation)
    return !this.#checking.has(key) || this.#policy.reputation.standing(key, DIGEST) !== 'probationary'
  }

  #recheck(accusation: Accusation<Proof>): void {
    const { reputation } = this.#policy
    const { accused, proof } = accusation
    const cost = auditCost(proof.tokens, reputation.parameters)
    if (!reputation.takeBudget(cost, this.#accusations.purpose(accusation))) return
    this.spent.audits += cost
    this.#checking.add(accused)
    this.#network.clock.after(AUDIT_MS, () => {
      this.#checking.delete(accused)
      reputation.observe(accused, DIGEST, { type: 'proven', logEvidence: proof.logEvidence })
      this.#accusations.checked(accusation, reputation.standing(accused, DIGEST) === 'banned')
    })
  }
}
