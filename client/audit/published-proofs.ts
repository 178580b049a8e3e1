/**
 * Fraud proofs on the DHT. The client publishes one when its own audits ban a node. Before it trusts a node, it looks for the
 * proof of another client, and repeats the audits of that proof with the user's own auditor. Both need the model, so a client
 * without an auditor does neither.
 *
 * A proof counts only after this check, so a malicious publisher gains nothing. It costs the client at most
 * `MAX_PUBLISHED_TOKENS` tokens of the audit budget, once for each node. The client publishes only what its own audits found,
 * so a proof never leads to a second one.
 */
import type { PeerId } from '@libp2p/interface'
import {
  decodeFraudProof,
  deadline,
  encodeFraudProof,
  formatDigest,
  MAX_PUBLISHED_ANSWERS,
  openPublishedProof
} from '@potluck/protocol'
import { LRUCache } from 'lru-cache'

import { log } from '../base/log.ts'
import { CERTAIN } from '../evidence/index.ts'
import { auditCost, type Reputation } from '../reputation/index.ts'
import type { Auditor } from './auditor.ts'
import { MAX_REMEMBERED_LOOKUPS, MAX_TRIED_ANSWERS, PROOF_LOOKUP_TIMEOUT_MS } from './constants.ts'
import { judgeProof, ProofWeight } from './proof.ts'

/** The fraud proofs that the DHT stores, one for each accused node. */
export interface ProofRecords {
  /** Returns the bytes of the proof, which nobody has checked. Rejects if there is none. */
  proofRecord: (accused: PeerId, signal: AbortSignal) => Promise<Uint8Array>
  putProof: (accused: PeerId, bytes: Uint8Array, signal: AbortSignal) => Promise<void>
}

export interface PublishedProofsContext {
  reputation: Reputation
  /** The user's own auditor. */
  auditor: Auditor | undefined
  proofs: ProofRecords
}

export class PublishedProofs {
  readonly #context: PublishedProofsContext
  readonly #signal: AbortSignal
  /** Nodes whose proof this client has looked for. */
  readonly #lookedFor = new LRUCache<string, true>({ max: MAX_REMEMBERED_LOOKUPS })

  constructor(context: PublishedProofsContext, signal: AbortSignal) {
    this.#context = context
    this.#signal = signal
  }

  /**
   * Whether the client should look for a proof against this node: it is probationary, the client has not looked yet, and its
   * own auditor can check a proof. Returns true once for each node.
   */
  takeLookup(peer: string, digest: string): boolean {
    const { auditor, reputation } = this.#context
    if (auditor?.holds(digest) !== true || reputation.standing(peer, digest) !== 'probationary') return false
    if (this.#lookedFor.has(peer)) return false
    this.#lookedFor.set(peer, true)
    return true
  }

  /** Returns a published proof against the node, of which everything is verified except the verdict. */
  async find(peerId: PeerId): Promise<Uint8Array | undefined> {
    try {
      const signal = deadline(PROOF_LOOKUP_TIMEOUT_MS, this.#signal)
      const bytes = await this.#context.proofs.proofRecord(peerId, signal)
      await openPublishedProof(bytes, peerId)
      return bytes
    } catch {
      // Almost no node has a proof. Without one, the client audits the node as any other.
      return undefined
    }
  }

  /**
   * Repeats the audits of a proof from `find`, and bans the node if it convinces.
   *
   * @throws the errors of the auditor
   */
  async check(peerId: PeerId, bytes: Uint8Array): Promise<void> {
    const { auditor, reputation } = this.#context
    const { tokens, modelDigest } = await openPublishedProof(bytes, peerId)
    const digest = formatDigest(modelDigest)
    if (auditor?.holds(digest) !== true || !reputation.takeBudget(auditCost(tokens, reputation.parameters))) return
    const { convincing, logEvidence } = await judgeProof(bytes, (job) => auditor.audit(job, this.#signal))
    log.audit(
      '…%s: the published proof %s',
      peerId.toString().slice(-8),
      convincing ? 'convinces' : 'does not convince'
    )
    if (!convincing) return
    const proven = { type: 'proven', logEvidence: Math.min(logEvidence, CERTAIN) } as const
    reputation.observe(peerId.toString(), digest, proven)
  }

  /**
   * Publishes the shortest convincing proof that the newest shareable answers of the node give, if they give one.
   *
   * @throws the errors of the auditor and of the DHT
   */
  async publish(peer: string, digest: string): Promise<void> {
    const { auditor, reputation, proofs } = this.#context
    if (auditor?.holds(digest) !== true) return
    const weight = new ProofWeight()
    const chosen: ReturnType<typeof decodeFraudProof>['answers'][number][] = []
    for (const kept of reputation.kept(peer, digest).toReversed().slice(0, MAX_TRIED_ANSWERS)) {
      const { peerId, answers } = decodeFraudProof(kept)
      const [answer] = answers
      if (answer === undefined || chosen.length === MAX_PUBLISHED_ANSWERS) return
      const bytes = encodeFraudProof({ peerId, answers: [...chosen, answer] })
      const fits = await openPublishedProof(bytes, peerId).catch(() => undefined)
      if (fits === undefined) continue
      const tokens = answer.promptTokens.length + answer.answerTokens.length
      if (!reputation.takeBudget(auditCost(tokens, reputation.parameters))) return
      if (weight.add(answer, await auditor.audit({ peerId, answer }, this.#signal)) === 0) continue
      chosen.push(answer)
      if (!weight.finding.convincing) continue
      await proofs.putProof(peerId, bytes, this.#signal)
      log.audit('…%s: published a proof of %d answers', peer.slice(-8), chosen.length)
      return
    }
  }
}
