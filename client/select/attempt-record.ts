/** One attempt at one node, as it becomes observations: the only place that turns events into them. */
import type { ErrorCode } from '@potluck/protocol'

import type { Reputation } from '../reputation/index.ts'
import type { KnownNode, NodeView } from './node-view.ts'
import type { Choice } from './rank.ts'
import type { SelectionRequest } from './selector.ts'

/** What the selector remembers of it. */
export interface RecordEvents {
  accepted: () => void
  firstToken: (waitedMs: number) => void
  refused: (retryAfterMs: number | undefined) => void
  complete: (prefixKey: string, tokens: number) => void
  ended: () => void
}

/** What the terminal frame and the tokens' arrival told. */
export interface AttemptResult {
  promptTokens: number
  cachedTokens: number
  completionTokens: number
  /** From the first token to the last, and the longest time between two; milliseconds. */
  decodeMs: number
  longestGapMs: number
  /** Of the conversation with this answer, from `conversationKeys`. */
  prefixKey: string
}

export class AttemptRecord<N extends KnownNode> {
  readonly choice: Choice<NodeView<N>>
  readonly sentAt: number
  /** The wait that `accepted` told; 0 before. */
  toldWaitMs: number = 0
  readonly #request: SelectionRequest
  readonly #reputation: Reputation
  readonly #now: () => number
  readonly #events: RecordEvents
  #firstTokenAt: number | undefined

  constructor(
    choice: Choice<NodeView<N>>,
    request: SelectionRequest,
    reputation: Reputation,
    now: () => number,
    events: RecordEvents
  ) {
    this.choice = choice
    this.sentAt = now()
    this.#request = request
    this.#reputation = reputation
    this.#now = now
    this.#events = events
  }

  accepted(estimatedWaitMs: number): void {
    this.toldWaitMs = estimatedWaitMs
    // An open connection alone is no sign of life: it may be from before the network was lost.
    this.#reputation.reached()
    this.#events.accepted()
  }

  firstToken(): void {
    this.#firstTokenAt = this.#now()
    this.#events.firstToken(this.#firstTokenAt - this.sentAt)
  }

  complete(result: AttemptResult): void {
    const { promptTokens, cachedTokens, completionTokens, decodeMs, longestGapMs, prefixKey } = result
    const { node } = this.choice.contender
    this.#events.ended()
    this.#events.complete(prefixKey, promptTokens + completionTokens)
    this.#reputation.observe(node.peer, node.digest, {
      type: 'complete',
      promptTokens,
      cachedTokens,
      completionTokens,
      roundTripMs: node.roundTripMs,
      estimatedWaitMs: this.toldWaitMs,
      ttftMs: (this.#firstTokenAt ?? this.#now()) - this.sentAt,
      decodeMs,
      longestGapMs,
      predictedMs: this.choice.predicted.totalMs,
      claims: node.claims
    })
  }

  /** Refused, failed, or aborted by the caller: the code says what it means. */
  failed(code: ErrorCode, retryAfterMs?: number): void {
    const { node } = this.choice.contender
    this.#events.ended()
    if (code === 'busy' || code === 'rate_limited') this.#events.refused(retryAfterMs)
    this.#reputation.observe(node.peer, node.digest, { type: 'failed', code })
  }

  /** Given up by this client for another node: before the first token that speaks of the wait, after it of nothing. */
  left(): void {
    const { node, cachedTokens } = this.choice.contender
    this.#events.ended()
    if (this.#firstTokenAt !== undefined) return
    this.#reputation.observe(node.peer, node.digest, {
      type: 'late',
      promptTokens: this.#request.promptTokens,
      cachedTokens,
      roundTripMs: node.roundTripMs,
      estimatedWaitMs: this.toldWaitMs,
      waitedMs: this.#now() - this.sentAt,
      claims: node.claims
    })
  }
}
