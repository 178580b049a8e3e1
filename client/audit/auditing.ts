/**
 * Audits answers in the background: decides which answers to audit and which auditor measures them, and
 * applies the result.
 *
 * 1. If the user's own engine or node has the model, it audits the answer.
 * 2. Otherwise, if the user marked the request as shareable, other nodes with the model audit the answer;
 *    see `quorum.ts`.
 * 3. Otherwise, if the user marked other requests as shareable, the client audits the node's next answer to one of these
 *    instead. The node cannot tell which they are.
 * 4. Otherwise the client sends the node a probe, which other nodes may see, and they audit its answer: see `probes.ts`.
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
  type AuditResult
} from '@potluck/protocol'

import { CERTAIN, logEvidence, NO_EVIDENCE, withAudit } from '../evidence/index.ts'
import type { CompleteAnswer } from '../generate/generate.ts'
import { auditCost, type Reputation, type Standing } from '../reputation/index.ts'
import { log } from '../base/log.ts'
import type { Ask } from '../base/request.ts'
import type { OtherAuditor } from './ask.ts'
import type { Auditor } from './auditor.ts'
import { MAX_QUEUED_AUDITS, PROBE_GAP_MS, QUORUM } from './constants.ts'
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
  /** Uniform in [0, 1). */
  random: () => number
}

export class Auditing {
  readonly #context: AuditingContext
  /** A secret of this client, so that no node can predict its auditors. */
  readonly #nonce = crypto.getRandomValues(new Uint8Array(32))
  readonly #stopped = new AbortController()
  readonly #queue = new Queue({ concurrency: 1 })
  /** Timers of the next probe of quarantined peers, by model and peer. */
  readonly #probing = new Map<string, ReturnType<typeof setTimeout>>()
  readonly #probes: Probes
  /** By peer, the answers to private requests that an audit of a shareable request must make up for. */
  readonly #owed = new Map<string, number>()

  constructor(context: AuditingContext) {
    this.#context = context
    const { reputation } = context
    this.#probes = new Probes({
      ...context,
      takeBudget: (promptTokens, answerTokens) =>
        reputation.takeBudget(answerTokens + auditCost(promptTokens + answerTokens, reputation.parameters)),
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
   * other nodes if enough of them serve it. Whether the request is shareable does not matter: otherwise the choice of the
   * node would show it.
   *
   * @param serving the number of nodes that serve the digest
   */
  canAudit(_: Ask, digest: string, serving: number): boolean {
    return (this.#context.auditor?.holds(digest) ?? false) || serving > QUORUM
  }

  /**
   * Call this for every complete answer to the user. Returns at once.
   *
   * @param startedAt when the user sent the request, by `performance.now()`
   */
  answered(answer: CompleteAnswer, startedAt: number = performance.now()): void {
    const { reputation, random, isOwn } = this.#context
    const { digest, ask, record } = answer
    const peer = answer.peerId.toString()
    this.#probes.note(answer, { startedAt, endedAt: performance.now() })
    this.#probeSuspects(digest)
    if (isOwn(peer) || this.#queue.queued >= MAX_QUEUED_AUDITS) return
    const others = this.#context.otherAuditors(digest, peer, ask).length
    if (!this.canAudit(ask, digest, others + 1)) return
    const direct = ask.shareable || (this.#context.auditor?.holds(digest) ?? false)
    const owed = this.#owed.get(peer) ?? 0
    if (direct) {
      const tokens = record.promptTokens.length + record.answerTokens.length
      if (!reputation.takeAudit(peer, digest, tokens, owed > 0 ? () => 0 : random)) return
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

  /** Resolves when no audit is queued or running. */
  async idle(): Promise<void> {
    await this.#queue.onIdle()
  }

  async stop(): Promise<void> {
    this.#stopped.abort(new Error('the client was stopped'))
    for (const timer of this.#probing.values()) clearTimeout(timer)
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

  #enqueue(job: () => Promise<void>): void {
    void this.#queue.add(async () => {
      // The caller gets the end of its answer before the audit begins.
      await Promise.resolve()
      await job()
    })
  }

  async #audit(answer: CompleteAnswer): Promise<void> {
    const { reputation } = this.#context
    const peer = answer.peerId.toString()
    const result = await this.#measure(answer).catch(() => undefined)
    if (result === undefined) {
      log.audit('…%s: no result', peer.slice(-8))
      return reputation.auditFailed(peer)
    }
    this.#apply(answer, result)
    this.#probeLater(peer, answer.digest)
  }

  async #measure(answer: CompleteAnswer): Promise<(AuditResult & Partial<Audit>) | undefined> {
    const { peerId, digest, record, text, ask } = answer
    const { auditor, otherAuditors } = this.#context
    const { signal } = this.#stopped
    const request = { peerId, answer: record }
    if (auditor?.holds(digest)) {
      return await auditor.audit(text === undefined ? request : { ...request, received: { text } }, signal)
    }
    if (!ask.shareable) return undefined
    const others = otherAuditors(digest, peerId.toString(), ask)
    return await auditByOthers(others, { peerId, answer: opened(answer) }, { nonce: this.#nonce, signal })
  }

  #apply(answer: CompleteAnswer, result: AuditResult & Partial<Audit>): void {
    const { reputation, onJudged } = this.#context
    const { peerId, digest, record, text, ask } = answer
    const peer = peerId.toString()
    const { comparable, violations, misstatements = [], measured } = result
    const before = reputation.standing(peer, digest)
    if (!comparable) return reputation.observe(peer, digest, { type: 'incomparable' })
    // A misstatement is certain for this client. The node did not sign it, so it proves nothing to other clients.
    if (misstatements.length > 0) reputation.observe(peer, digest, { type: 'failed', code: 'protocol_violation' })
    if (ask.shareable) reputation.keep(peer, digest, encodeFraudProof({ peerId, answers: [opened(answer)] }))
    if (ask.shareable && violations.length === 0 && text !== undefined) this.#probes.learn(text)
    const known = reputation.state(peer, digest).integrity.evidence ?? NO_EVIDENCE
    const evidence = withAudit(known, record, measured)
    reputation.observe(peer, digest, {
      type: 'audit',
      evidence,
      logEvidence: violations.length > 0 ? CERTAIN : logEvidence(evidence)
    })
    log.audit('…%s: %d tokens, log evidence %d', peer.slice(-8), measured.length, logEvidence(evidence))
    onJudged({ peerId: peer, digest, tokens: measured.length, before, after: reputation.standing(peer, digest) })
  }

  /** Schedules probes of peers that were quarantined before this client started, when the user asks for their model. */
  #probeSuspects(digest: string): void {
    for (const known of this.#context.reputation.peers()) {
      if (known.digest === digest) this.#probeLater(known.peer, digest)
    }
  }

  /** Schedules a probe, if the peer is quarantined, the user's mode allows it, and no probe of it is scheduled yet. */
  #probeLater(peer: string, digest: string): void {
    const { reputation, random, allows } = this.#context
    const key = `${digest} ${peer}`
    if (this.#stopped.signal.aborted || this.#probing.has(key) || !allows(peer)) return
    if (reputation.standing(peer, digest) !== 'quarantined') return
    // The time is random, so that the node cannot predict it.
    const afterMs = -Math.log(1 - random()) * PROBE_GAP_MS
    const timer = setTimeout(() => {
      this.#probing.delete(key)
      if (reputation.standing(peer, digest) === 'quarantined') this.#probes.want({ peer, digest, suspect: true })
    }, afterMs)
    this.#probing.set(key, timer)
  }
}

/** Returns the record for other peers: with the opening, if the request is shareable. */
function opened({ record, ask }: CompleteAnswer): AnswerRecord {
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
