/** What one client knows of all peers: the pure parts, held together by a store and a clock. */
import { isWireCode } from '@potluck/protocol'

import {
  auditCost,
  auditRate,
  earnAudits,
  freshAuditBudget,
  spendAudit,
  type AuditBudget,
  type AuditPurpose
} from './audits.ts'
import { hold, isDoubtful, settle, type Run } from './blame.ts'
import { explain, type Explanation } from './explain.ts'
import type { Observation } from './observation.ts'
import { observe } from './observe.ts'
import { reputationParameters, type ReputationParameters } from './parameters.ts'
import { evidenceLeft } from './reliability.ts'
import { score, standingOf, type Score, type Standing } from './score.ts'
import { freshState, type PeerState } from './state.ts'
import type { ReputationStore } from './store.ts'
import { freshStrangers, probationShare, noteTransition, type Strangers } from './strangers.ts'

export interface ReputationOptions {
  store: ReputationStore
  /** What differs from `DEFAULT_REPUTATION`. */
  parameters?: Partial<ReputationParameters>
  /** Milliseconds since the epoch. Default `Date.now`. */
  now?: () => number
  /** Hears that something learnt could not be written; it is remembered until the end. Default: throws. */
  onStoreError?: (error: Error) => void
}

/** Below this, answers of long ago say nothing any more, and an unsuspected peer's row is dropped. */
const FORGOTTEN_EVIDENCE = 0.05

export class Reputation {
  readonly parameters: ReputationParameters
  readonly #store: ReputationStore
  readonly #now: () => number
  readonly #onStoreError: (error: Error) => void
  /** By digest, then by peer. */
  readonly #models = new Map<string, Map<string, PeerState>>()
  /** A ban is the key's, whatever model it was for. */
  readonly #banned = new Set<string>()
  /** Answers of newcomers whose audit has not come back. */
  readonly #awaited = new Map<string, number>()
  /** Of whom nothing was seen: one for all, as hundreds are looked at for each request. */
  readonly #unknown: PeerState
  #run: Run = []
  #budget: AuditBudget
  #strangers: Strangers

  /** @throws RangeError for a parameter out of its range; Error from the store */
  constructor({ store, parameters, now = Date.now, onStoreError = rethrow }: ReputationOptions) {
    this.parameters = reputationParameters(parameters)
    this.#store = store
    this.#now = now
    this.#onStoreError = onStoreError
    this.#budget = freshAuditBudget(this.parameters)
    this.#strangers = freshStrangers(now())
    this.#unknown = freshState(now())
    for (const { peer, digest, state } of store.load()) this.#take(peer, digest, state)
  }

  /**
   * Learns from one outcome. A failure that the client's own network might explain counts only when
   * a sign of life (`reached`) has proven that network.
   *
   * @throws Error if the store could not write, and nobody hears of it otherwise
   */
  observe(peer: string, digest: string, observation: Observation): void {
    if (isDoubtful(observation)) {
      this.#run = hold(this.#run, { peer, digest, observation, at: this.#now() })
      return
    }
    if (observation.type === 'failed' && isWireCode(observation.code)) this.reached()
    if (observation.type === 'served') this.reached()
    if (observation.type === 'complete') {
      this.reached()
      this.#budget = earnAudits(this.#budget, observation.completionTokens, this.parameters)
    }
    this.#apply(peer, digest, observation)
  }

  /** A sign of life: some peer accepted a request, or sent a token. */
  reached(): void {
    if (this.#run.length === 0) return
    const blamed = settle(this.#run, this.parameters, this.#now())
    this.#run = []
    for (const { peer, digest, observation } of blamed) this.#apply(peer, digest, observation)
  }

  /** All of whom something is known, with the model that it is known of. */
  *peers(): Generator<{ peer: string; digest: string; state: PeerState }, void, void> {
    for (const [digest, peers] of this.#models) for (const [peer, state] of peers) yield { peer, digest, state }
  }

  state(peer: string, digest: string): PeerState {
    return this.#models.get(digest)?.get(peer) ?? this.#unknown
  }

  standing(peer: string, digest: string): Standing {
    if (this.#banned.has(peer)) return 'banned'
    const state = this.#models.get(digest)?.get(peer)
    return state === undefined ? 'probationary' : standingOf(state, this.parameters)
  }

  score(peer: string, digest: string): Score {
    const current = score(this.state(peer, digest), this.parameters, this.#now())
    return this.#banned.has(peer) ? { ...current, standing: 'banned' } : current
  }

  explain(peer: string, digest: string): Explanation {
    const { lines } = explain(this.state(peer, digest), this.parameters, this.#now())
    const current = this.score(peer, digest)
    const elsewhere = current.standing === 'banned' && this.state(peer, digest).integrity.banned === undefined
    return { score: current, lines: elsewhere ? ['banned with another model', ...lines] : lines }
  }

  /** The share of requests that newcomers may get now; none while nothing is left to audit them with. */
  probationShare(): number {
    const auditable = this.#budget.tokens >= auditCost(this.parameters.probationTokens, this.parameters)
    return auditable ? probationShare(this.#strangers, this.parameters) : 0
  }

  /**
   * Whether to audit an answer that has just completed, and takes its cost from the budget if so.
   * Then `observe` an `audit` or `incomparable`, or call `auditFailed`.
   *
   * @param tokens of prompt and answer together
   * @param random uniform in [0, 1)
   */
  takeAudit(peer: string, digest: string, tokens: number, random: () => number): boolean {
    const state = this.state(peer, digest)
    if (random() >= auditRate(state, this.#budget, this.parameters)) return false
    if (!this.takeBudget(auditCost(tokens, this.parameters), 'audit')) return false
    this.#awaited.set(peer, (this.#awaited.get(peer) ?? 0) + 1)
    return true
  }

  /** An audit that was taken came to no result. */
  auditFailed(peer: string): void {
    const awaited = (this.#awaited.get(peer) ?? 0) - 1
    if (awaited > 0) this.#awaited.set(peer, awaited)
    else this.#awaited.delete(peer)
  }

  /** Audits of this peer that are under way. */
  awaitedAudits(peer: string): number {
    return this.#awaited.get(peer) ?? 0
  }

  /** Pays for a probe or for the re-check of an accusation, in tokens of generation; false: not now. */
  takeBudget(cost: number, purpose: AuditPurpose): boolean {
    const left = spendAudit(this.#budget, cost, purpose)
    if (left === undefined) return false
    this.#budget = left
    return true
  }

  /** Keeps an audited answer that the user marked as shareable, as bytes of the caller's own form. */
  keep(peer: string, digest: string, answer: Uint8Array): void {
    this.#write(() => this.#store.keep(peer, digest, answer))
  }

  /** The answers that were kept of it, oldest first. */
  kept(peer: string, digest: string): Uint8Array[] {
    return this.#store.kept(peer, digest)
  }

  /** Writes nothing more. */
  close(): void {
    this.#store.close()
  }

  #apply(peer: string, digest: string, observation: Observation): void {
    if (observation.type === 'audit' || observation.type === 'incomparable') this.auditFailed(peer)
    const now = this.#now()
    const before = this.#models.get(digest)?.get(peer) ?? freshState(now)
    const after = observe(before, observation, this.parameters, now)
    if (after === before) return
    const standings = [before, after].map((state) => standingOf(state, this.parameters)) as [Standing, Standing]
    this.#strangers = noteTransition(this.#strangers, ...standings, this.parameters, now)
    this.#set(peer, digest, after)
    this.#write(() => this.#store.save({ peer, digest, state: after }))
  }

  #write(write: () => void): void {
    try {
      write()
    } catch (error) {
      this.#onStoreError(error instanceof Error ? error : new Error(String(error)))
    }
  }

  /** A loaded row; one that says nothing any more is dropped, or free keys would fill the store. */
  #take(peer: string, digest: string, state: PeerState): void {
    const { banned, quarantinedAt, logEvidence } = state.integrity
    const unsuspected = banned === undefined && quarantinedAt === undefined && logEvidence <= 0
    if (unsuspected && evidenceLeft(state.reliability, this.parameters, this.#now()) < FORGOTTEN_EVIDENCE) {
      this.#store.remove(peer, digest)
    } else this.#set(peer, digest, state)
  }

  #set(peer: string, digest: string, state: PeerState): void {
    let peers = this.#models.get(digest)
    if (peers === undefined) this.#models.set(digest, (peers = new Map()))
    peers.set(peer, state)
    if (state.integrity.banned !== undefined) this.#banned.add(peer)
  }
}

function rethrow(error: Error): never {
  throw error
}
