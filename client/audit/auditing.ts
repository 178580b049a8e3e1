/**
 * Audits answers in the background: decides which answers to audit and which auditor measures them, and
 * applies the result.
 *
 * 1. If the user's own engine or node has the model, it audits the answer. If the answer is shareable, sometimes another
 *    node audits it too, so that the client learns which nodes audit honestly.
 * 2. Otherwise, if the user marked the request as shareable, a panel of other nodes with the model audits the answer;
 *    see `panel.ts` and `quorum.ts`. Its result has smaller effects; see `client/reputation/others.ts`.
 * 3. Otherwise, if the user marked other requests as shareable, the client audits the node's next answer to one of these
 *    instead. The node cannot tell which they are.
 * 4. Otherwise the client sends the node a probe, which other nodes may see, and a panel audits its answer: see `probes.ts`.
 *
 * The client runs one audit at a time, within the audit budget of the reputation. An audit begins only after
 * the caller has the answer.
 */
import { Queue } from '@libp2p/utils'
import {
  decodeFraudProof,
  encodeFraudProof,
  MAX_PROOF_BYTES,
  type AnswerRecord,
  type Audit,
  type AuditResult,
  type GenerateRequest
} from '@potluck/protocol'

import { CERTAIN, logEvidence, MOST_BY_OTHERS, NO_EVIDENCE, withAudit, withViolation } from '../evidence/index.ts'
import { isForged } from '../generate/check-beginning.ts'
import type { CompleteAnswer, GenerateContext } from '../generate/generate.ts'
import { auditCost, type Audited, type PanelKind, type Reputation, type Standing } from '../reputation/index.ts'
import type { Clock } from '../base/clock.ts'
import { log } from '../base/log.ts'
import type { Ask } from '../base/request.ts'
import { agree, refutes } from './agreement.ts'
import type { OtherAuditor } from './ask.ts'
import type { Auditor } from './auditor.ts'
import { LEAST_PANEL, MAX_QUEUED_AUDITS, PANEL_COST, PROBE_GAP_MS, TESTED_SHARE } from './constants.ts'
import { canFormPanel, drawPanel } from './panel.ts'
import { Probes, type ProbesContext } from './probes.ts'
import { auditByOthers } from './quorum.ts'

/** The result of an audit. */
export interface Judged {
  peerId: string
  /** `sha256:…` of the model. */
  digest: string
  /** Measured tokens of this answer. */
  tokens: number
  /** The standing of the node before and after the audit. */
  before: Standing
  after: Standing
}

/**
 * The audited answers that led this client to ban a node, for `potluck audit` and `checkProof`. The proof reveals their
 * prompts. These are probes, and requests that the user marked as shareable.
 */
export interface Proof {
  peerId: string
  /** `sha256:…` of the model that the node claimed to serve. */
  digest: string
  answers: number
  /** See `encodeFraudProof`. */
  bytes: Uint8Array
}

export interface AuditingContext {
  reputation: Reputation
  /** The user's own auditor. */
  auditor: Auditor | undefined
  /** Returns the nodes that serve the model and can audit, without the audited node. */
  otherAuditors: (digest: string, audited: string, ask: Ask) => readonly OtherAuditor[]
  /** Asks this node and no other. */
  ask: ProbesContext['ask']
  /** Whether no request of this client runs now. */
  isIdle: () => boolean
  /** Returns whether the node is the user's own. The client does not audit it. */
  isOwn: (peer: string) => boolean
  /** Returns whether the user's mode allows requests to this node. Otherwise the node gets no probe. */
  allows: (peer: string) => boolean
  onJudged: (judged: Judged) => void
  /** A secret of this client, older than every answer, so that no node can choose or predict its auditors. */
  nonce: Uint8Array
  clock: Pick<Clock, 'sleep' | 'monotonic'>
  /** Uniform in [0, 1). */
  random: () => number
}

export class Auditing {
  readonly #context: AuditingContext
  readonly #stopped = new AbortController()
  readonly #queue = new Queue({ concurrency: 1 })
  /** Models and peers for which the next probe is scheduled. */
  readonly #probing = new Set<string>()
  readonly #probes: Probes
  /** By peer, the answers to private requests that an audit of a shareable request must make up for. */
  readonly #owed = new Map<string, number>()

  constructor(context: AuditingContext) {
    this.#context = context
    const { reputation } = context
    this.#probes = new Probes({
      ...context,
      costOf: (digest, promptTokens, answerTokens) => answerTokens + this.#costOf(digest, promptTokens + answerTokens),
      onAnswer: (answer) => this.#enqueue(async () => await this.#audit(answer)),
      onEnd: ({ peer, digest }, answered) => {
        if (!answered) reputation.auditFailed(peer)
        this.#probeLater(peer, digest)
      },
      signal: this.#stopped.signal
    })
  }

  /**
   * Returns whether audits can test the nodes that serve the model: by the user's own auditor if it has the model, or by
   * a panel if enough other nodes serve it. Whether the request is shareable does not matter: otherwise the choice of the
   * node would show it.
   *
   * @param serving the number of nodes that serve the digest
   */
  canAudit(ask: Ask, digest: string, serving: number): boolean {
    if (this.#holds(digest)) return true
    return serving > LEAST_PANEL && canFormPanel(this.#others(digest, '', ask))
  }

  /**
   * Call this for every complete answer to the user. Returns at once.
   *
   * @param startedAt when the user sent the request, by `clock.monotonic()`
   */
  answered(answer: CompleteAnswer, startedAt: number): void {
    const { reputation, random, isOwn, clock } = this.#context
    const { digest, ask, record } = answer
    const peer = answer.peerId.toString()
    this.#probes.note(answer, { startedAt, endedAt: clock.monotonic() })
    this.#probeSuspects(digest)
    if (isOwn(peer) || this.#queue.queued >= MAX_QUEUED_AUDITS) return
    const own = this.#holds(digest)
    if (!own && !canFormPanel(this.#others(digest, peer, ask))) return
    const owed = this.#owed.get(peer) ?? 0
    if (own || ask.shareable) {
      const cost = this.#costOf(digest, record.promptTokens.length + record.answerTokens.length)
      if (!reputation.takeAudit(peer, digest, cost, owed > 0 ? () => 0 : random)) return
      if (owed > 0) this.#owed.set(peer, owed - 1)
      this.#enqueue(async () => await this.#audit(answer))
      return
    }
    // The budget pays when the probe is sent. Until then, the peer waits for an audit.
    if (!reputation.takeAudit(peer, digest, 0, random)) return
    if (this.#probes.isShared) this.#owed.set(peer, Math.min(owed + 1, MAX_QUEUED_AUDITS))
    else if (this.#probes.want({ peer, digest, suspect: false })) return
    reputation.auditFailed(peer)
  }

  /**
   * Blames the node that sent tokens which other nodes measured as forged, and which it did not sign. This is certain only
   * if the user's own node or auditor measured them. Otherwise the others can all lie, so it counts as a cut answer.
   *
   * @param request asks to check these tokens
   */
  refuted(...[{ peer, digest }, { certain, request }]: Parameters<GenerateContext['onRefuted']>): void {
    this.#enqueue(async () => {
      const forged = certain || ((await this.#isForged(digest, request).catch(() => undefined)) ?? false)
      this.#context.reputation.observe(peer, digest, {
        type: 'failed',
        code: forged ? 'protocol_violation' : 'stream_cut'
      })
    })
  }

  /** Resolves when no audit is queued or running. */
  async idle(): Promise<void> {
    await this.#queue.onIdle()
  }

  async stop(): Promise<void> {
    this.#stopped.abort(new Error('the client was stopped'))
    this.#queue.clear()
    await this.idle()
  }

  /** Returns a proof for every peer that this client's audits banned, if some audited answers are shareable. */
  proofs(): Proof[] {
    const { reputation } = this.#context
    return [...reputation.peers()].flatMap(({ peer, digest, state }) => {
      if (state.integrity.banned?.by !== 'audit') return []
      return proofOf(peer, digest, reputation.kept(peer, digest)) ?? []
    })
  }

  #holds(digest: string): boolean {
    return this.#context.auditor?.holds(digest) ?? false
  }

  /** The cost of an audit, by the user's own engine or by a panel, in tokens of generation. */
  #costOf(digest: string, tokens: number): number {
    return (this.#holds(digest) ? 1 : PANEL_COST) * auditCost(tokens, this.#context.reputation.parameters)
  }

  /** The nodes that can audit this one, and whose audits the client still believes. */
  #others(digest: string, audited: string, ask: Ask): OtherAuditor[] {
    const { reputation, otherAuditors } = this.#context
    return otherAuditors(digest, audited, ask).filter(({ peer }) => reputation.mayAudit(peer))
  }

  #enqueue(job: () => Promise<void>): void {
    void this.#queue.add(async () => {
      // The caller gets the end of its answer before the audit begins.
      await Promise.resolve()
      await job()
    })
  }

  async #audit(answer: CompleteAnswer): Promise<void> {
    const done = await (this.#holds(answer.digest) ? this.#auditByOwn(answer) : this.#auditByPanel(answer)).catch(
      () => false
    )
    const peer = answer.peerId.toString()
    if (!done) {
      log.audit('…%s: no result', peer.slice(-8))
      return this.#context.reputation.auditFailed(peer)
    }
    this.#probeLater(peer, answer.digest)
  }

  async #auditByOwn(answer: CompleteAnswer): Promise<boolean> {
    const { peerId, record } = answer
    const audit = await this.#context.auditor?.audit({ peerId, answer: record }, this.#stopped.signal)
    if (audit === undefined) return false
    this.#applyOwn(answer, audit)
    if (answer.ask.shareable && audit.comparable) await this.#testAuditor(answer, audit)
    return true
  }

  /** Returns false if the panel has no result. */
  async #auditByPanel(answer: CompleteAnswer): Promise<boolean> {
    const { peerId, digest, record, ask } = answer
    const { reputation, nonce } = this.#context
    const lot = { nonce, receipt: record.receipt }
    const panel = drawPanel(this.#others(digest, peerId.toString(), ask), lot)
    if (panel === undefined) return false
    const finding = await auditByOthers(panel, { peerId, answer: opened(answer) }, this.#stopped.signal)
    if (finding === undefined) return false
    for (const peer of finding.agreed) reputation.observe(peer, digest, { type: 'compared', outcome: 'agreed' })
    for (const peer of finding.dissented) reputation.observe(peer, digest, { type: 'compared', outcome: 'dissented' })
    this.#applyOthers(answer, finding.result, panel.established ? 'established' : 'unproven')
    return true
  }

  /** Sometimes asks another node for an audit whose result the client already knows from its own. */
  async #testAuditor(answer: CompleteAnswer, own: AuditResult): Promise<void> {
    const { reputation, random } = this.#context
    const { peerId, digest, record, ask } = answer
    if (random() >= TESTED_SHARE) return
    const others = this.#others(digest, peerId.toString(), ask)
    const auditor = others[Math.floor(random() * others.length)]
    const cost = auditCost(record.promptTokens.length + record.answerTokens.length, reputation.parameters)
    if (auditor === undefined || !reputation.takeBudget(cost)) return
    const theirs = await auditor.audit({ peerId, answer: opened(answer) }, this.#stopped.signal).catch(() => undefined)
    if (theirs === undefined || !theirs.comparable) return
    const outcome = agree(own, theirs) ? 'agreed' : refutes(own, theirs) ? 'refuted' : 'dissented'
    log.audit('…%s audited …%s: %s', auditor.peer.slice(-8), peerId.toString().slice(-8), outcome)
    reputation.observe(auditor.peer, digest, { type: 'compared', outcome })
  }

  /** Measures the tokens to check with the user's own auditor. Undefined if it cannot measure them. */
  async #isForged(digest: string, request: GenerateRequest): Promise<boolean | undefined> {
    const { auditor } = this.#context
    if (auditor?.measure === undefined || !auditor.holds(digest)) return undefined
    return isForged(await auditor.measure(request, this.#stopped.signal))
  }

  #applyOwn(answer: CompleteAnswer, audit: Audit): void {
    const { reputation } = this.#context
    const { digest, record } = answer
    const peer = answer.peerId.toString()
    if (!audit.comparable) return reputation.observe(peer, digest, { type: 'incomparable' })
    // A misstatement is no proof of fraud, but the user's own auditor found it, so it costs the node as much as bytes that
    // no honest node sends.
    if (audit.misstatements.length > 0) {
      reputation.observe(peer, digest, { type: 'failed', code: 'protocol_violation' })
    }
    const known = reputation.state(peer, digest).integrity.evidence ?? NO_EVIDENCE
    const evidence = withAudit(known, record, audit)
    this.#apply(answer, audit, {
      by: 'own',
      evidence,
      logEvidence: audit.violations.length > 0 ? CERTAIN : logEvidence(evidence)
    })
  }

  #applyOthers(answer: CompleteAnswer, result: AuditResult, by: PanelKind): void {
    const { reputation } = this.#context
    const { digest, record } = answer
    const peer = answer.peerId.toString()
    const known = reputation.findings(peer, digest)[by]?.evidence ?? NO_EVIDENCE
    const evidence =
      // A violation that other nodes report is not certain.
      result.violations.length > 0
        ? withViolation(known, MOST_BY_OTHERS)
        : withAudit(known, record, result, MOST_BY_OTHERS)
    this.#apply(answer, result, { by, evidence, logEvidence: logEvidence(evidence) })
  }

  #apply(answer: CompleteAnswer, { violations, measured }: AuditResult, audited: Omit<Audited, 'type'>): void {
    const { reputation, onJudged } = this.#context
    const { peerId, digest, text, ask, record } = answer
    const peer = peerId.toString()
    const before = reputation.standing(peer, digest)
    // The log-probabilities are by far the largest part, and prove only their own violation.
    const { logprobs: _, ...withoutLogprobs } = record
    const kept = violations.includes('logprobs') ? record : withoutLogprobs
    if (ask.shareable) {
      reputation.keep(peer, digest, encodeFraudProof({ peerId, answers: [opened({ ask, record: kept })] }))
    }
    if (ask.shareable && violations.length === 0 && text !== undefined) this.#probes.learn(text)
    reputation.observe(peer, digest, { type: 'audit', ...audited })
    log.audit('…%s: %d tokens by %s, log evidence %d', peer.slice(-8), measured.length, audited.by, audited.logEvidence)
    onJudged({ peerId: peer, digest, tokens: measured.length, before, after: reputation.standing(peer, digest) })
  }

  /** Schedules probes of peers that needed them before this client started, when the user asks for their model. */
  #probeSuspects(digest: string): void {
    for (const known of this.#context.reputation.peers()) {
      if (known.digest === digest) this.#probeLater(known.peer, digest)
    }
  }

  /** Schedules a probe, if the peer needs one, the user's mode allows it, and no probe of it is scheduled yet. */
  #probeLater(peer: string, digest: string): void {
    const { clock, random, allows } = this.#context
    const key = `${digest} ${peer}`
    if (this.#stopped.signal.aborted || this.#probing.has(key) || !allows(peer) || !this.#isDoubtful(peer, digest))
      return
    this.#probing.add(key)
    // The time is random, so that the node cannot predict it.
    clock.sleep(-Math.log(1 - random()) * PROBE_GAP_MS, this.#stopped.signal).then(
      () => {
        this.#probing.delete(key)
        this.#probeDoubtful(peer, digest)
      },
      () => undefined
    )
  }

  #probeDoubtful(peer: string, digest: string): void {
    if (!this.#isDoubtful(peer, digest)) return
    // An established node that is in doubt still gets requests of the user.
    const suspect = this.#context.reputation.standing(peer, digest) !== 'established'
    this.#probes.want({ peer, digest, suspect })
  }

  /**
   * Whether more audits of the peer can change its standing: it is quarantined and the user's own engine can audit it, or
   * other nodes have found something that one more panel could confirm. A quarantine by other nodes ends by itself.
   */
  #isDoubtful(peer: string, digest: string): boolean {
    const { reputation } = this.#context
    if (this.#holds(digest)) return reputation.standing(peer, digest) === 'quarantined'
    const findings = Object.values(reputation.findings(peer, digest))
    return (
      findings.some(({ doubtedAt }) => doubtedAt !== undefined) &&
      findings.every(({ reachedAt }) => reachedAt === undefined)
    )
  }
}

/** Returns the record for other peers: with the opening, if the request is shareable. */
function opened({ record, ask }: Pick<CompleteAnswer, 'record' | 'ask'>): AnswerRecord {
  return ask.shareable ? { ...record, opening: ask.opening } : record
}

/** Returns a proof with the newest answers that fit into one file. */
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
