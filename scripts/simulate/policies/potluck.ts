/**
 * The client's own code (`client/reputation`, `client/select`) behind the simulator's interface.
 *
 * Assumption: loads come with every answer, and for all peers anew every minute, as cards are refreshed.
 */
import type { Claims, PeerState, Score, Standing } from '../../../client/reputation/index.ts'
import {
  auditedTokens,
  MemoryReputationStore,
  Reputation,
  type ReputationStore
} from '../../../client/reputation/index.ts'
import {
  backOff,
  earnHedge,
  FRESH_HEDGING,
  hedgeAfterMs,
  isProven,
  LOOK_AROUND,
  noteFirstToken,
  Prefixes,
  rank,
  remainingWaitMs,
  shouldMove,
  spendHedge,
  type Backoff,
  type Choice,
  type Contender,
  type Hedging
} from '../../../client/select/index.ts'
import { KnownLoad } from './loads.ts'
import type { Ask, Candidate, Look, Policy, PolicyContext, PublicPeer, Seen, Waiting } from './policy.ts'
import type { ErrorCode, Load } from '@potluck/protocol'

/** All peers of a simulation serve one model. */
export const DIGEST = 'sha256:simulated'
const LOAD_REFRESH_MS = 60_000

/** A choice, and whom it is about in the simulation. */
export interface PotluckCandidate extends Candidate {
  choice: Choice<SimContender>
}

export class PotluckPolicy implements Policy<PotluckCandidate> {
  readonly reputation: Reputation
  /** A last look before a peer is asked; false passes it over. */
  screen: (candidate: Candidate) => boolean = () => true
  readonly #context: PolicyContext
  readonly #contenders = new Map<string, SimContender>()
  readonly #prefixes = new Prefixes()
  readonly #backoffs = new Map<string, Backoff>()
  #hedging: Hedging = FRESH_HEDGING
  #refreshedAt = -Infinity

  constructor(context: PolicyContext, store: ReputationStore = new MemoryReputationStore()) {
    this.#context = context
    this.reputation = new Reputation({ store, now: context.now })
  }

  candidates(ask: Ask): Generator<PotluckCandidate, void, void> {
    this.#hedging = earnHedge(this.#hedging)
    return this.#ranked(ask, this.#view(ask))
  }

  *#ranked(ask: Ask, contenders: readonly SimContender[]): Generator<PotluckCandidate, void, void> {
    const { now, random } = this.#context
    const request = { promptTokens: ask.promptTokens, maxTokens: undefined, answerTokens: ask.answerTokens }
    const choices = rank(contenders, request, {
      mode: 'any',
      parameters: this.reputation.parameters,
      newcomerShare: this.reputation.newcomerShare(),
      now: now(),
      random
    })
    for (const choice of choices) {
      const candidate = { peer: choice.contender.subject, key: choice.contender.peer, choice }
      if (this.screen(candidate)) yield candidate
    }
  }

  sent({ key }: Candidate): void {
    this.#contenders.get(key)?.known.sent()
  }

  accepted({ key }: Candidate, load: Load): void {
    this.reputation.reached()
    this.#backoffs.delete(key)
    this.#contenders.get(key)?.known.told(load, this.#context.now())
  }

  lookAround(
    { candidate, toldWaitMs, sentAt }: Waiting<PotluckCandidate>,
    ask: Ask,
    next: (count: number) => PotluckCandidate[]
  ): Look<PotluckCandidate> | undefined {
    const waitMs = (): number => remainingWaitMs(candidate.choice, toldWaitMs, this.#context.now() - sentAt)
    const others = waitMs() === 0 ? [] : next(LOOK_AROUND).filter(({ choice }) => isProven(choice))
    if (others.length === 0) return undefined
    return {
      afterMs: Math.max(...others.map(({ peer }) => peer.roundTripMs)),
      decide: () => {
        for (const { key, peer } of others) this.#contenders.get(key)?.known.told(peer.load(), this.#context.now())
        const [best] = this.#ranked(
          ask,
          others.map(({ choice }) => choice.contender)
        )
        return best !== undefined && shouldMove(candidate.choice, waitMs(), best.choice) ? best : undefined
      }
    }
  }

  firstToken({ choice }: PotluckCandidate, actualMs: number): void {
    this.#hedging = noteFirstToken(this.#hedging, actualMs, choice.predicted.ttftMs)
  }

  complete({ candidate, ask, cachedTokens, toldWaitMs, ttftMs, decodeMs }: Seen<PotluckCandidate>): void {
    const { key, peer, choice } = candidate
    this.#contenders.get(key)?.known.ended()
    this.#prefixes.remember(ask.conversation, key, ask.promptTokens + ask.answerTokens, this.#context.now())
    this.reputation.observe(key, DIGEST, {
      type: 'complete',
      promptTokens: ask.promptTokens,
      cachedTokens,
      completionTokens: ask.answerTokens,
      roundTripMs: peer.roundTripMs,
      toldWaitMs,
      ttftMs,
      decodeMs,
      longestGapMs: (2 * decodeMs) / ask.answerTokens,
      predictedMs: choice.predicted.totalMs,
      claims: peer.claims
    })
  }

  failed({ key }: Candidate, code: ErrorCode, retryAfterMs?: number): void {
    this.#contenders.get(key)?.known.ended()
    this.reputation.observe(key, DIGEST, { type: 'failed', code })
    if (code === 'busy') {
      this.#backoffs.set(key, backOff(this.#backoffs.get(key), retryAfterMs, this.#context.now()))
    }
  }

  left({ key, peer }: PotluckCandidate, ask: Ask, toldWaitMs: number, waitedMs: number): void {
    const contender = this.#contenders.get(key)
    contender?.known.ended()
    this.reputation.observe(key, DIGEST, {
      type: 'late',
      promptTokens: ask.promptTokens,
      cachedTokens: 0,
      roundTripMs: peer.roundTripMs,
      toldWaitMs,
      waitedMs,
      claims: peer.claims
    })
  }

  hedgeAfterMs({ choice }: PotluckCandidate): number {
    return hedgeAfterMs(this.#hedging, choice.predicted.ttftMs)
  }

  takeHedge({ choice }: PotluckCandidate): boolean {
    if (!isProven(choice)) return false
    const left = spendHedge(this.#hedging)
    if (left !== undefined) this.#hedging = left
    return left !== undefined
  }

  #view(ask: Ask): SimContender[] {
    const now = this.#context.now()
    const refresh = now - this.#refreshedAt > LOAD_REFRESH_MS
    if (refresh) this.#refreshedAt = now
    const holder = this.#prefixes.holder([ask.conversation], now)
    return this.#context.peers().map((peer) => {
      let contender = this.#contenders.get(peer.key)
      if (contender === undefined) {
        contender = new SimContender(peer, this.reputation, now)
        this.#contenders.set(peer.key, contender)
      } else if (refresh) contender.known.told(peer.load(), now)
      contender.cachedTokens = holder?.peer === peer.key ? holder.tokens : 0
      contender.standing = this.reputation.standing(peer.key, DIGEST)
      contender.notBefore = this.#backoffs.get(peer.key)?.notBefore ?? 0
      return contender
    })
  }
}

/** Looks up only what the ranking asks for: hundreds of peers fail at the gate. */
export class SimContender implements Contender {
  readonly local: boolean = false
  readonly trusted: boolean = false
  readonly draining: boolean = false
  readonly suitable: boolean = true
  readonly contextLength: number = Infinity
  readonly peer: string
  readonly subject: PublicPeer
  readonly known: KnownLoad
  cachedTokens: number = 0
  notBefore: number = 0
  standing: Standing = 'newcomer'
  readonly #reputation: Reputation

  constructor(subject: PublicPeer, reputation: Reputation, now: number) {
    this.subject = subject
    this.peer = subject.key
    this.known = new KnownLoad(subject, now)
    this.#reputation = reputation
  }

  get claims(): Claims {
    return this.subject.claims
  }

  get roundTripMs(): number {
    return this.subject.roundTripMs
  }

  get load(): Load {
    return this.known.load
  }

  get loadAt(): number {
    return this.known.loadAt
  }

  get inFlight(): number {
    return this.known.inFlight
  }

  get sentSince(): number {
    return this.known.sentSince
  }

  get reliability(): Score['reliability'] {
    return this.#reputation.score(this.peer, DIGEST).reliability
  }

  get auditedTokens(): number {
    return auditedTokens(this.#reputation.state(this.peer, DIGEST))
  }

  get awaitedAudits(): number {
    return this.#reputation.awaitedAudits(this.peer)
  }

  get speed(): PeerState['speed'] {
    return this.#reputation.state(this.peer, DIGEST).speed
  }
}
