/**
 * Chooses nodes, and remembers what the next choice needs: which node has which prefix in its cache, which node asked
 * for a pause, which requests run on which node, and when to hedge. The decisions are pure functions in other files.
 */
import { LRUCache } from 'lru-cache'
import type { ModelCard, SuspensionWatch } from '@potluck/protocol'

import type { Directory } from '../discover/directory.ts'
import type { KnownNode } from '../discover/known-node.ts'
import type { ModelSelector } from '../discover/model-selector.ts'
import { log } from '../base/log.ts'
import { auditedTokens, type Reputation } from '../reputation/index.ts'
import { AttemptRecord, type AttemptKind } from './attempt-record.ts'
import { backOff, type Backoff } from './backoff.ts'
import {
  digestOf,
  matchingModels,
  type Candidate,
  type RankedCandidate,
  type UserNodes,
  type Workload
} from './candidate.ts'
import { LOOK_AROUND, MAX_BACKOFFS } from './constants.ts'
import { gateReason, type GateReason, type Mode, type Requirements } from './gate.ts'
import { earnHedge, FRESH_HEDGING, hedgeAfterMs, noteFirstToken, spendHedge, type Hedging } from './hedge.ts'
import { isEligible, remainingWaitMs, shouldMove } from './move.ts'
import { Prefixes } from './prefixes.ts'
import { rank } from './rank.ts'

export interface SelectorOptions {
  reputation: Reputation
  directory: Pick<Directory, 'reportLoad' | 'evict'>
  user: UserNodes
  /** Default `open`. */
  mode?: Mode
  /** Milliseconds since the epoch. */
  now: () => number
  /** Uniform in [0, 1). */
  random: () => number
  /** Default: no suspension is noticed. */
  suspension?: Pick<SuspensionWatch, 'hold' | 'resumedSince'>
}

type Identity = Pick<Candidate, 'peer' | 'digest' | 'model' | 'local' | 'trusted' | 'standing'>
/** Called with the reason for each matching model that does not pass the gate. */
type OnRefused = (peer: string, reason: GateReason) => void

const NONE: readonly number[] = []

export class Selector {
  readonly #reputation: Reputation
  readonly #directory: SelectorOptions['directory']
  readonly #user: UserNodes
  readonly #mode: Mode
  readonly #now: () => number
  readonly #random: () => number
  readonly #prefixes = new Prefixes()
  readonly #backoffs = new LRUCache<string, Backoff>({ max: MAX_BACKOFFS })
  /** When each running request was sent, by peer. */
  readonly #running = new Map<string, number[]>()
  readonly #suspension: SelectorOptions['suspension']
  #hedging: Hedging = FRESH_HEDGING

  constructor({ reputation, directory, user, mode = 'open', now, random, suspension }: SelectorOptions) {
    this.#reputation = reputation
    this.#directory = directory
    this.#user = user
    this.#mode = mode
    this.#now = now
    this.#random = random
    this.#suspension = suspension
  }

  /** Returns the candidates on these nodes that pass the gate now. */
  candidates(
    nodes: readonly KnownNode[],
    selector: ModelSelector,
    requirements: Requirements,
    onRefused: OnRefused = () => undefined
  ): Candidate[] {
    return nodes.flatMap((node) =>
      this.#gate(node, selector, requirements, onRefused).map((open) => this.#candidate(node, open))
    )
  }

  /** Returns a candidate without a check of the gate: a probe must reach quarantined nodes. */
  candidate(node: KnownNode, model: ModelCard): Candidate {
    return this.#candidate(node, this.#identity(node, model))
  }

  /** Whether a model of the node passes the gate. */
  passes(node: KnownNode, selector: ModelSelector, requirements: Requirements, onRefused: OnRefused): boolean {
    return this.#gate(node, selector, requirements, onRefused).length > 0
  }

  /**
   * Yields the candidates, best first. Counts the requests in flight again, because concurrent requests can have chosen
   * nodes in the meantime. Computes the order only as far as the caller asks.
   */
  *rank(candidates: readonly Candidate[], work: Workload): Generator<RankedCandidate, void, void> {
    const now = this.#now()
    const holder = this.#prefixes.holder(work.prefixKeys, now)
    const current = candidates.map((one) => ({
      ...one,
      ...this.#inFlight(one),
      cachedTokens: holder?.peer === one.peer ? holder.tokens : 0
    }))
    yield* rank(current, work, {
      parameters: this.#reputation.parameters,
      probationShare: this.#reputation.probationShare(),
      now,
      random: this.#random
    })
  }

  /** Begins an attempt. It counts as in flight until its record ends. */
  begin(candidate: RankedCandidate, work: Workload, kind: AttemptKind = 'answer'): AttemptRecord {
    const { peer, predicted } = candidate
    const release = this.#suspension?.hold()
    const sentAt = this.#now()
    if (log.select.enabled) log.select('%s %s', VERB[kind], describe(candidate))
    // Hedges are a share of the answers. Probes and audits must not earn more of them.
    if (kind === 'answer') this.#hedging = earnHedge(this.#hedging)
    this.#running.set(peer, [...(this.#running.get(peer) ?? []), sentAt])
    return new AttemptRecord(candidate, work, kind, {
      reputation: this.#reputation,
      directory: this.#directory,
      now: this.#now,
      memory: {
        accepted: () => void this.#backoffs.delete(peer),
        firstToken: (waitedMs) => {
          if (kind === 'probe') return
          this.#hedging = noteFirstToken(this.#hedging, waitedMs, predicted.ttftMs)
        },
        backoff: (retryAfterMs) => {
          this.#backoffs.set(peer, backOff(this.#backoffs.get(peer), retryAfterMs, this.#now()))
        },
        cached: (prefixKey, tokens) => this.#prefixes.remember(prefixKey, peer, tokens, this.#now()),
        suspended: () => this.#suspension?.resumedSince(sentAt) ?? false,
        ended: () => {
          release?.()
          this.#ended(peer, sentAt)
        }
      }
    })
  }

  /** Returns after how many milliseconds without a first token the client sends a hedge to a second node. */
  hedgeAfterMs({ predicted }: RankedCandidate): number {
    return hedgeAfterMs(this.#hedging, predicted.ttftMs)
  }

  /** Returns whether a hedge may go to this node now. If so, takes the hedge from the budget. */
  takeHedge(to: RankedCandidate, from: RankedCandidate): boolean {
    const left = isEligible(to, from) ? spendHedge(this.#hedging) : undefined
    if (left !== undefined) this.#hedging = left
    return left !== undefined
  }

  /**
   * Returns the candidates that a waiting request should ask for their load. Empty if it does not wait in a queue.
   *
   * @param next returns up to `count` of the next candidates in the order
   */
  worthAsking(record: AttemptRecord, next: (count: number) => RankedCandidate[]): RankedCandidate[] {
    return this.#remainingMs(record) === 0 ? [] : next(LOOK_AROUND).filter((one) => isEligible(one, record.candidate))
  }

  /**
   * Returns the candidate that the request should move to. Undefined: the request stays.
   *
   * @param others candidates that have just reported their load
   */
  better(record: AttemptRecord, others: readonly Candidate[], work: Workload): RankedCandidate | undefined {
    const { value: best } = this.rank(others, work).next()
    if (best === undefined) return undefined
    return shouldMove(record.candidate, this.#remainingMs(record), best) ? best : undefined
  }

  /** Returns the models of the node that match and pass the gate. */
  #gate(node: KnownNode, selector: ModelSelector, requirements: Requirements, onRefused: OnRefused): Identity[] {
    const passed: Identity[] = []
    for (const model of matchingModels(node, selector)) {
      const identity = this.#identity(node, model)
      const reason = gateReason({ node, ...identity }, requirements, this.#mode)
      if (reason === undefined) passed.push(identity)
      else onRefused(identity.peer, reason)
    }
    return passed
  }

  #identity(node: KnownNode, model: ModelCard): Identity {
    const peer = node.card.peerId.toString()
    const digest = digestOf(model)
    return {
      peer,
      digest,
      model,
      local: peer === this.#user.localNode,
      trusted: this.#user.trusted.has(peer),
      standing: this.#reputation.standing(peer, digest)
    }
  }

  #candidate(node: KnownNode, identity: Identity): Candidate {
    const { peer, digest } = identity
    const state = this.#reputation.state(peer, digest)
    return {
      ...identity,
      ...this.#inFlight({ peer, node }),
      node,
      reliability: this.#reputation.score(peer, digest).reliability,
      speed: state.speed,
      auditedTokens: auditedTokens(state),
      cachedTokens: 0
    }
  }

  #inFlight({
    peer,
    node
  }: Pick<Candidate, 'peer' | 'node'>): Pick<Candidate, 'awaitedAudits' | 'inFlight' | 'sentSince' | 'notBefore'> {
    const sentAt = this.#running.get(peer) ?? NONE
    return {
      awaitedAudits: this.#reputation.awaitedAudits(peer),
      inFlight: sentAt.length,
      sentSince: sentAt.length === 0 ? 0 : sentAt.filter((at) => at > node.loadAt).length,
      notBefore: this.#backoffs.peek(peer)?.notBefore ?? 0
    }
  }

  #remainingMs({ candidate, reportedWaitMs, sentAt }: AttemptRecord): number {
    return remainingWaitMs(candidate, reportedWaitMs, this.#now() - sentAt)
  }

  #ended(peer: string, sentAt: number): void {
    const times = this.#running.get(peer) ?? []
    if (times.length > 1) this.#running.set(peer, times.toSpliced(times.indexOf(sentAt), 1))
    else this.#running.delete(peer)
  }
}

/** How the log names the beginning of an attempt. */
const VERB: Readonly<Record<AttemptKind, string>> = {
  answer: 'pick',
  hedge: 'hedge to',
  embeddings: 'pick for embeddings',
  probe: 'probe',
  audit: 'audit by'
}

/** Each rule of the order, as the log explains a choice. */
const WHY: Readonly<Record<RankedCandidate['why'], string>> = {
  local: "the user's own node has a free slot",
  probation_share: 'a probationary peer gets its share of the requests',
  holds_prefix: "it holds the conversation's prefix",
  cold: 'fastest of the nodes that are not busy',
  hot: 'all nodes are busy, and it has the fewest requests',
  probationary: 'no established peer is left',
  tight: 'its context is probably too short, but no other node is left',
  resting: 'it asked for a pause, but no other node is left'
}

/** For the log: the candidate with the rule that put it here, and its prediction. */
export function describe({ peer, why, predicted, standing }: RankedCandidate): string {
  const [ttftMs, totalMs] = [Math.round(predicted.ttftMs), Math.round(predicted.totalMs)]
  return `…${peer.slice(-8)} (${standing}; ${WHY[why]}; predicted ${ttftMs} ms to the first token, ${totalMs} ms in all)`
}
