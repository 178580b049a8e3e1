/**
 * The client's audits, behind its answers: which answers are audited, by whom, and what follows.
 *
 * 1. by the user's own engine or node, where it has the model
 * 2. else, for what the user marked as shareable, by other nodes of the model: see jury.ts
 * 3. else the node gets a question of the client's own, which others may see
 *
 * One at a time, within the budget of the reputation, and never before its answer was given.
 */
import { decodeFraudProof, encodeFraudProof, MAX_PROOF_BYTES, type Audit, type AuditResult } from '@potluck/protocol'

import type { CompleteAnswer } from '../generate/generate.ts'
import type { Dialable, Network } from '../network/network.ts'
import { auditCost, type Reputation, type Standing } from '../reputation/index.ts'
import type { Ask } from '../base/request.ts'
import { withAudit } from './account.ts'
import type { Auditor } from './auditor.ts'
import { CERTAIN, LEAST_JURY, MAX_QUEUED_AUDITS, PROBE_GAP_MS } from './constants.ts'
import { logEvidence, NO_EVIDENCE } from './evidence.ts'
import { auditByOthers } from './jury.ts'
import { PROBE_TOKENS, probeLike } from './probes.ts'

/** What an audit came to. */
export interface Judged {
  peerId: string
  /** `sha256:…` of the model. */
  digest: string
  /** Of this answer. */
  tokens: number
  before: Standing
  after: Standing
}

/** The answers that banned a node, for `potluck audit` and for `checkProof`. They show prompts that were shareable. */
export interface Proof {
  peerId: string
  /** `sha256:…` of the model that it claimed. */
  digest: string
  answers: number
  /** See `encodeFraudProof`. */
  bytes: Uint8Array
}

export interface AuditingContext {
  reputation: Reputation
  /** The user's own. */
  auditor: Auditor | undefined
  network: Pick<Network, 'connect'>
  /** Nodes that serve the model and can audit, but for the one that is audited. */
  jurors: (digest: string, accused: string) => readonly Dialable[]
  /** Asks this node alone. */
  ask: (peer: string, digest: string, ask: Ask, signal: AbortSignal) => Promise<CompleteAnswer>
  /** Whether the node is the user's own: it is not judged. */
  isOwn: (peer: string) => boolean
  onJudged: (judged: Judged) => void
  /** Uniform in [0, 1). */
  random: () => number
}

export class Auditing {
  readonly #context: AuditingContext
  /** The client's secret: nobody can foresee who audits. */
  readonly #nonce = crypto.getRandomValues(new Uint8Array(32))
  readonly #stopped = new AbortController()
  readonly #queue: Array<() => Promise<void>> = []
  /** Set while audits are under way. */
  #working: Promise<void> | undefined
  /** Set-aside peers that will be probed, by model and peer. */
  readonly #probing = new Map<string, ReturnType<typeof setTimeout>>()

  constructor(context: AuditingContext) {
    this.#context = context
  }

  /** Whether answers to such a request can be audited, as they are. */
  canAudit({ shareable }: Pick<Ask, 'shareable'>, digest: string, serving: number): boolean {
    return (this.#context.auditor?.holds(digest) ?? false) || (shareable && serving > LEAST_JURY)
  }

  /** An answer is complete. Returns at once. */
  answered(answer: CompleteAnswer): void {
    const { reputation, random, isOwn } = this.#context
    const { digest, ask, record } = answer
    const peer = answer.peerId.toString()
    this.#probeSuspects(digest, ask)
    if (isOwn(peer) || this.#queue.length >= MAX_QUEUED_AUDITS) return
    const jury = this.#context.jurors(digest, peer).length
    const direct = this.canAudit(ask, digest, jury + 1)
    if (!direct && jury < LEAST_JURY) return
    const tokens = direct ? record.promptTokens.length + record.answerTokens.length : PROBE_TOKENS
    if (!reputation.takeAudit(peer, digest, tokens, random)) return
    if (direct) this.#enqueue(async () => await this.#audit(answer))
    else if (reputation.takeBudget(PROBE_TOKENS, 'probe'))
      this.#enqueue(async () => await this.#probe(peer, digest, ask))
    else reputation.auditFailed(peer)
  }

  /** Resolves when no audit is under way. */
  async idle(): Promise<void> {
    while (this.#working !== undefined) await this.#working
  }

  async stop(): Promise<void> {
    this.#stopped.abort(new Error('the client was stopped'))
    for (const timer of this.#probing.values()) clearTimeout(timer)
    this.#queue.length = 0
    await this.idle()
  }

  /** Of every banned peer of whom shareable answers were audited. */
  proofs(): Proof[] {
    const { reputation } = this.#context
    return [...reputation.peers()].flatMap(({ peer, digest, state }) => {
      if (state.integrity.banned?.by !== 'audit') return []
      return proofOf(peer, digest, reputation.kept(peer, digest)) ?? []
    })
  }

  #enqueue(job: () => Promise<void>): void {
    this.#queue.push(job)
    this.#working ??= this.#work()
  }

  async #work(): Promise<void> {
    // What follows the answer comes first.
    await Promise.resolve()
    for (let job = this.#queue.shift(); job !== undefined; job = this.#queue.shift()) await job()
    this.#working = undefined
  }

  async #audit(answer: CompleteAnswer): Promise<void> {
    const { reputation } = this.#context
    const peer = answer.peerId.toString()
    const result = await this.#measure(answer).catch(() => undefined)
    // Whoever could not measure has said nothing.
    if (result === undefined) return reputation.auditFailed(peer)
    this.#learn(answer, result)
    if (reputation.standing(peer, answer.digest) === 'quarantined') this.#probeLater(peer, answer.digest, answer.ask)
  }

  async #measure({
    peerId,
    digest,
    record,
    text,
    ask
  }: CompleteAnswer): Promise<(AuditResult & Partial<Audit>) | undefined> {
    const { auditor, network, jurors } = this.#context
    const { signal } = this.#stopped
    const request = { peerId, answer: record }
    if (auditor?.holds(digest)) {
      return await auditor.audit(text === undefined ? request : { ...request, heard: { text } }, signal)
    }
    if (!ask.shareable) return undefined
    return await auditByOthers(jurors(digest, peerId.toString()), request, { network, nonce: this.#nonce, signal })
  }

  #learn({ peerId, digest, record, ask }: CompleteAnswer, result: AuditResult & Partial<Audit>): void {
    const { reputation, onJudged } = this.#context
    const peer = peerId.toString()
    const { comparable, violations, misstatements = [], measured } = result
    const before = reputation.standing(peer, digest)
    if (!comparable) return reputation.observe(peer, digest, { type: 'incomparable' })
    // Certain for this client, but nothing that it could show.
    if (misstatements.length > 0) reputation.observe(peer, digest, { type: 'failed', code: 'protocol_violation' })
    if (ask.shareable) reputation.keep(peer, digest, encodeFraudProof({ peerId, answers: [record] }))
    const known = reputation.state(peer, digest).integrity.evidence ?? NO_EVIDENCE
    const evidence = withAudit(known, record, measured)
    reputation.observe(peer, digest, {
      type: 'audit',
      evidence,
      logEvidence: violations.length > 0 ? CERTAIN : logEvidence(evidence)
    })
    onJudged({ peerId: peer, digest, tokens: measured.length, before, after: reputation.standing(peer, digest) })
  }

  async #probe(peer: string, digest: string, like: Ask): Promise<void> {
    const { reputation, ask, random } = this.#context
    const probe = probeLike(like, random)
    // A node that is busy or gone is no liar.
    const answer = await ask(peer, digest, probe, this.#stopped.signal).catch(() => undefined)
    if (answer !== undefined) return await this.#audit(answer)
    reputation.auditFailed(peer)
    if (reputation.standing(peer, digest) === 'quarantined') this.#probeLater(peer, digest, like)
  }

  /** Those who were quarantined before this client began are given their chance, when their model is asked for. */
  #probeSuspects(digest: string, like: Ask): void {
    for (const known of this.#context.reputation.peers()) {
      if (known.digest !== digest || known.state.integrity.quarantinedAt === undefined) continue
      if (this.#context.reputation.standing(known.peer, digest) === 'quarantined')
        this.#probeLater(known.peer, digest, like)
    }
  }

  #probeLater(peer: string, digest: string, like: Ask): void {
    const key = `${digest} ${peer}`
    if (this.#stopped.signal.aborted || this.#probing.has(key)) return
    // At times that cannot be foreseen.
    const afterMs = -Math.log(1 - this.#context.random()) * PROBE_GAP_MS
    const timer = setTimeout(() => {
      this.#probing.delete(key)
      const { reputation } = this.#context
      const cost = PROBE_TOKENS + auditCost(PROBE_TOKENS, reputation.parameters)
      if (reputation.standing(peer, digest) !== 'quarantined') return
      if (reputation.takeBudget(cost, 'probe')) this.#enqueue(async () => await this.#probe(peer, digest, like))
      else this.#probeLater(peer, digest, like)
    }, afterMs)
    this.#probing.set(key, timer)
  }
}

/** The newest answers that fit one file. */
function proofOf(peer: string, digest: string, kept: readonly Uint8Array[]): Proof | undefined {
  const chosen: Uint8Array[] = []
  let left = MAX_PROOF_BYTES
  for (const one of kept.toReversed()) {
    left -= one.byteLength
    if (left < 0) break
    chosen.unshift(one)
  }
  const proofs = chosen.map(decodeFraudProof)
  const [first] = proofs
  if (first === undefined) return undefined
  const answers = proofs.flatMap((proof) => proof.answers)
  return { peerId: peer, digest, answers: answers.length, bytes: encodeFraudProof({ peerId: first.peerId, answers }) }
}
