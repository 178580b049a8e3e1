/**
 * Audits answers in the background: decides which answers to audit and which auditor measures them, and
 * applies the result.
 *
 * 1. If the user's own engine or node has the model, it audits the answer.
 * 2. Otherwise, if the user marked the request as shareable, other nodes with the model audit the answer;
 *    see `quorum.ts`.
 * 3. Otherwise the client sends the node a probe, which other nodes may see, and they audit its answer.
 *
 * The client runs one audit at a time, within the audit budget of the reputation. An audit begins only after
 * the caller has the answer.
 */
import { Queue } from '@libp2p/utils'
import {
  decodeFraudProof,
  encodeFraudProof,
  MAX_PROOF_BYTES,
  type Audit,
  type AuditResult,
  type GenerateRequest
} from '@potluck/protocol'

import { CERTAIN, logEvidence, NO_EVIDENCE, withAudit } from '../evidence/index.ts'
import { isForged } from '../generate/check-beginning.ts'
import type { CompleteAnswer, GenerateContext } from '../generate/generate.ts'
import { auditCost, type Reputation, type Standing } from '../reputation/index.ts'
import { log } from '../base/log.ts'
import type { Ask } from '../base/request.ts'
import type { OtherAuditor } from './ask.ts'
import type { Auditor } from './auditor.ts'
import { MAX_QUEUED_AUDITS, PROBE_GAP_MS, QUORUM } from './constants.ts'
import { PROBE_TOKENS, probeLike } from './probes.ts'
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
  ask: (peer: string, digest: string, ask: Ask, signal: AbortSignal) => Promise<CompleteAnswer>
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

  constructor(context: AuditingContext) {
    this.#context = context
  }

  /**
   * Returns whether an audit can measure the answer to this request: by the user's own auditor if it has the model, or
   * by other nodes if the request is shareable and enough nodes serve the model. Otherwise only a probe can test the
   * node.
   *
   * @param serving the number of nodes that serve the digest
   */
  canAudit({ shareable }: Pick<Ask, 'shareable'>, digest: string, serving: number): boolean {
    return (this.#context.auditor?.holds(digest) ?? false) || (shareable && serving > QUORUM)
  }

  /** Call this for every complete answer. Returns at once. */
  answered(answer: CompleteAnswer): void {
    const { reputation, random, isOwn } = this.#context
    const { digest, ask, record } = answer
    const peer = answer.peerId.toString()
    this.#probeSuspects(digest, ask)
    if (isOwn(peer) || this.#queue.queued >= MAX_QUEUED_AUDITS) return
    const others = this.#context.otherAuditors(digest, peer, ask).length
    const direct = this.canAudit(ask, digest, others + 1)
    if (!direct && others < QUORUM) return
    const tokens = direct ? record.promptTokens.length + record.answerTokens.length : PROBE_TOKENS
    if (!reputation.takeAudit(peer, digest, tokens, random)) return
    if (direct) this.#enqueue(async () => await this.#audit(answer))
    else if (reputation.takeBudget(PROBE_TOKENS)) this.#enqueue(async () => await this.#probe(peer, digest, ask))
    else reputation.auditFailed(peer)
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
    this.#probeLater(peer, answer.digest, answer.ask)
  }

  async #measure(answer: CompleteAnswer): Promise<(AuditResult & Partial<Audit>) | undefined> {
    const { peerId, digest, record, ask } = answer
    const { auditor, otherAuditors } = this.#context
    const { signal } = this.#stopped
    const request = { peerId, answer: record }
    if (auditor?.holds(digest)) return await auditor.audit(request, signal)
    if (!ask.shareable) return undefined
    const others = otherAuditors(digest, peerId.toString(), ask)
    return await auditByOthers(others, request, { nonce: this.#nonce, signal })
  }

  /** Measures the tokens to check with the user's own auditor. Undefined if it cannot measure them. */
  async #isForged(digest: string, request: GenerateRequest): Promise<boolean | undefined> {
    const { auditor } = this.#context
    if (auditor?.measure === undefined || !auditor.holds(digest)) return undefined
    return isForged(await auditor.measure(request, this.#stopped.signal))
  }

  #apply({ peerId, digest, record, ask }: CompleteAnswer, result: AuditResult & Partial<Audit>): void {
    const { reputation, onJudged } = this.#context
    const peer = peerId.toString()
    const { comparable, violations, misstatements = [], measured } = result
    const before = reputation.standing(peer, digest)
    if (!comparable) return reputation.observe(peer, digest, { type: 'incomparable' })
    // A misstatement is no proof of fraud, but the user's own auditor found it, so it costs the node as much as bytes that
    // no honest node sends.
    if (misstatements.length > 0) reputation.observe(peer, digest, { type: 'failed', code: 'protocol_violation' })
    // The log-probabilities are by far the largest part, and prove only their own violation.
    const { logprobs: _, ...withoutLogprobs } = record
    const kept = violations.includes('logprobs') ? record : withoutLogprobs
    if (ask.shareable) reputation.keep(peer, digest, encodeFraudProof({ peerId, answers: [kept] }))
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

  async #probe(peer: string, digest: string, like: Ask): Promise<void> {
    const { reputation, ask, random } = this.#context
    const probe = probeLike(like, random)
    log.audit('probe …%s', peer.slice(-8))
    // A busy or unreachable node is not a reason for suspicion.
    const answer = await ask(peer, digest, probe, this.#stopped.signal).catch(() => undefined)
    if (answer !== undefined) return await this.#audit(answer)
    reputation.auditFailed(peer)
    this.#probeLater(peer, digest, like)
  }

  /** Schedules probes of peers that were quarantined before this client started, when the user asks for their model. */
  #probeSuspects(digest: string, like: Ask): void {
    for (const known of this.#context.reputation.peers()) {
      if (known.digest === digest) this.#probeLater(known.peer, digest, like)
    }
  }

  /** Schedules a probe, if the peer is quarantined, the user's mode allows it, and no probe of it is scheduled yet. */
  #probeLater(peer: string, digest: string, like: Ask): void {
    const { reputation, random, allows } = this.#context
    const key = `${digest} ${peer}`
    if (this.#stopped.signal.aborted || this.#probing.has(key) || !allows(peer)) return
    if (reputation.standing(peer, digest) !== 'quarantined') return
    // The time is random, so that the node cannot predict it.
    const afterMs = -Math.log(1 - random()) * PROBE_GAP_MS
    const timer = setTimeout(() => {
      this.#probing.delete(key)
      if (reputation.standing(peer, digest) !== 'quarantined') return
      const cost = PROBE_TOKENS + auditCost(PROBE_TOKENS, reputation.parameters)
      if (reputation.takeBudget(cost)) this.#enqueue(async () => await this.#probe(peer, digest, like))
      else this.#probeLater(peer, digest, like)
    }, afterMs)
    this.#probing.set(key, timer)
  }
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
