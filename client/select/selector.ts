/**
 * What selection remembers from one request to the next: who holds which prefix, who asked to be left
 * alone, what is under way where, when to hedge. The decisions are the pure functions beside it.
 */
import type { Reputation } from '../reputation/index.ts'
import { AttemptRecord } from './attempt-record.ts'
import { backOff, type Backoff } from './backoff.ts'
import { LOOK_AROUND, MAX_BACKOFFS } from './constants.ts'
import type { Mode, Request } from './contender.ts'
import { refusalOf, type Refusal } from './gate.ts'
import { earnHedge, FRESH_HEDGING, hedgeAfterMs, noteFirstToken, spendHedge, type Hedging } from './hedge.ts'
import { isProven, remainingWaitMs, shouldMove } from './move.ts'
import { NodeView, type KnownNode } from './node-view.ts'
import { Prefixes } from './prefixes.ts'
import { rank, type Choice } from './rank.ts'

export interface SelectorOptions {
  reputation: Reputation
  /** Default `open`. */
  mode?: Mode
  /** Milliseconds since the epoch. */
  now: () => number
  /** Uniform in [0, 1). */
  random: () => number
}

export interface SelectionRequest extends Request {
  /** From `conversationKeys`: the beginnings of the conversation, shortest first. */
  prefixKeys: readonly string[]
  /** Whether the answer can be audited, by this client or through others; see `RankContext.probation`. */
  auditable: boolean
}

export type NodeChoice<N extends KnownNode> = Choice<NodeView<N>>

export class Selector {
  readonly #reputation: Reputation
  readonly #mode: Mode
  readonly #now: () => number
  readonly #random: () => number
  readonly #prefixes = new Prefixes()
  readonly #backoffs = new Map<string, Backoff>()
  /** When each request that is under way was sent, by peer. */
  readonly #underWay = new Map<string, number[]>()
  #hedging: Hedging = FRESH_HEDGING

  constructor({ reputation, mode = 'open', now, random }: SelectorOptions) {
    this.#reputation = reputation
    this.#mode = mode
    this.#now = now
    this.#random = random
  }

  /** Best first. Worked out as far as it is asked for. */
  *order<N extends KnownNode>(nodes: readonly N[], request: SelectionRequest): Generator<NodeChoice<N>, void, void> {
    const now = this.#now()
    const holder = this.#prefixes.holder(request.prefixKeys, now)
    const views = nodes.map((node) => this.#view(node, holder?.peer === node.peer ? holder.tokens : 0))
    yield* rank(views, request, {
      mode: this.#mode,
      parameters: this.#reputation.parameters,
      probation: request.auditable,
      probationShare: this.#reputation.probationShare(),
      now,
      random: this.#random
    })
  }

  /** Why the node must not get such a request, whatever the others are; undefined if it may. */
  refusal(node: KnownNode, request: Pick<Request, 'maxTokens'>): Refusal | undefined {
    return refusalOf(this.#view(node, 0), request, this.#mode)
  }

  /**
   * A request is sent to the chosen node. What becomes of it has to be told to the record, and ends
   * with one of `complete`, `failed` and `left`.
   *
   * @param hedge this is a second attempt beside one that is under way
   */
  begin<N extends KnownNode>(choice: NodeChoice<N>, request: SelectionRequest, hedge = false): AttemptRecord<N> {
    const { peer } = choice.contender
    const sentAt = this.#now()
    if (!hedge) this.#hedging = earnHedge(this.#hedging)
    this.#underWay.set(peer, [...(this.#underWay.get(peer) ?? []), sentAt])
    return new AttemptRecord(choice, request, this.#reputation, this.#now, {
      accepted: () => this.#backoffs.delete(peer),
      firstToken: (waitedMs) => {
        this.#hedging = noteFirstToken(this.#hedging, waitedMs, choice.predicted.ttftMs)
      },
      refused: (retryAfterMs) => this.#backOff(peer, retryAfterMs),
      complete: (key, tokens) => this.#prefixes.remember(key, peer, tokens, this.#now()),
      ended: () => this.#end(peer, sentAt)
    })
  }

  /** After how long without a first token the request goes to a second node. */
  hedgeAfterMs<N extends KnownNode>({ predicted }: NodeChoice<N>): number {
    return hedgeAfterMs(this.#hedging, predicted.ttftMs)
  }

  /** Whether a hedge may go to this node now; takes it from the budget if so. */
  takeHedge<N extends KnownNode>(to: NodeChoice<N>): boolean {
    const left = isProven(to) ? spendHedge(this.#hedging) : undefined
    if (left !== undefined) this.#hedging = left
    return left !== undefined
  }

  /**
   * The nodes that a request without a first token may look around at: some of the next in the order, to
   * be asked for their load. Empty while there is no reason to.
   */
  lookAround<N extends KnownNode>(record: AttemptRecord<N>, next: (count: number) => Array<NodeChoice<N>>): N[] {
    if (this.#remainingMs(record) === 0) return []
    return next(LOOK_AROUND)
      .filter(isProven)
      .map(({ contender }) => contender.node)
  }

  /** For whom to give up the place, of nodes whose load was just asked for; undefined: stay. */
  better<N extends KnownNode>(
    record: AttemptRecord<N>,
    others: readonly N[],
    request: SelectionRequest
  ): NodeChoice<N> | undefined {
    const { value: best } = this.order(others, request).next()
    if (best === undefined) return undefined
    return shouldMove(record.choice, this.#remainingMs(record), best) ? best : undefined
  }

  #view<N extends KnownNode>(node: N, cachedTokens: number): NodeView<N> {
    const notBefore = this.#backoffs.get(node.peer)?.notBefore ?? 0
    const sentAt = this.#underWay.get(node.peer) ?? []
    return new NodeView(node, this.#reputation, { cachedTokens, notBefore, sentAt })
  }

  #remainingMs<N extends KnownNode>({ choice, toldWaitMs, sentAt }: AttemptRecord<N>): number {
    return remainingWaitMs(choice, toldWaitMs, this.#now() - sentAt)
  }

  #backOff(peer: string, retryAfterMs: number | undefined): void {
    const backoff = backOff(this.#backoffs.get(peer), retryAfterMs, this.#now())
    this.#backoffs.delete(peer)
    this.#backoffs.set(peer, backoff)
    const oldest = this.#backoffs.keys().next()
    if (this.#backoffs.size > MAX_BACKOFFS && !oldest.done) this.#backoffs.delete(oldest.value)
  }

  #end(peer: string, sentAt: number): void {
    const times = this.#underWay.get(peer) ?? []
    const index = times.indexOf(sentAt)
    if (times.length > 1) this.#underWay.set(peer, times.toSpliced(index, 1))
    else this.#underWay.delete(peer)
  }
}
