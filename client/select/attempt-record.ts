/** The record of one attempt at one node. When the attempt ends, the record reports what the client observed. */
import { ERROR_POLICY, type Load, type PotluckError } from '@potluck/protocol'

import type { Directory } from '../discover/directory.ts'
import { log } from '../base/log.ts'
import type { Reputation } from '../reputation/index.ts'
import type { RankedCandidate, Workload } from './candidate.ts'

/** What the selector remembers of an attempt for later requests. */
export interface SelectorMemory {
  accepted: () => void
  firstToken: (waitedMs: number) => void
  backoff: (retryAfterMs: number | undefined) => void
  /** The node has the conversation in its cache now. */
  cached: (prefixKey: string, tokens: number) => void
  /** Whether this machine was suspended during the attempt. */
  suspended: () => boolean
  ended: () => void
}

/**
 * What an attempt is for. `hedge`: an answer, beside an attempt that runs already; `probe`: an answer that only audits need;
 * `audit`: the node audits an answer of another node.
 */
export type AttemptKind = 'answer' | 'hedge' | 'embeddings' | 'probe' | 'audit'

export interface RecordContext {
  reputation: Reputation
  directory: Pick<Directory, 'reportLoad' | 'evict'>
  /** Milliseconds since the epoch. */
  now: () => number
  memory: SelectorMemory
}

/** What a complete answer shows. */
export interface AnswerOutcome {
  promptTokens: number
  /** Prompt tokens that the node found in its cache. */
  cachedTokens: number
  completionTokens: number
  /** From the first token to the last, milliseconds. */
  decodeMs: number
  /** The longest time between two tokens, milliseconds. */
  longestGapMs: number
  /** Key of the conversation including this answer, from `conversationKeys`. */
  prefixKey: string | undefined
}

/** Exactly one of `complete`, `served`, `failed` and `abandoned` takes effect: the first. */
export class AttemptRecord {
  readonly candidate: RankedCandidate
  /** Milliseconds since the epoch. */
  readonly sentAt: number
  /** The wait that `accepted` reported, milliseconds. 0 before `accepted`. */
  reportedWaitMs: number = 0
  readonly #work: Workload
  readonly #kind: AttemptKind
  readonly #context: RecordContext
  /** Set at the end: this machine was suspended during the attempt, so times and silence say nothing about the node. */
  #suspended = false
  #firstTokenAt: number | undefined
  #ended = false

  constructor(candidate: RankedCandidate, work: Workload, kind: AttemptKind, context: RecordContext) {
    this.candidate = candidate
    this.sentAt = context.now()
    this.#work = work
    this.#kind = kind
    this.#context = context
  }

  accepted(estimatedWaitMs: number, load: Load): void {
    this.reportedWaitMs = estimatedWaitMs
    this.#context.directory.reportLoad(this.candidate.peer, load)
    // An open connection alone does not prove that the network works: it can be older than the loss of the network.
    this.#context.reputation.reached()
    this.#context.memory.accepted()
  }

  firstToken(): void {
    this.#firstTokenAt = this.#context.now()
    this.#context.memory.firstToken(this.#firstTokenAt - this.sentAt)
  }

  /** A whole answer. */
  complete(outcome: AnswerOutcome, load: Load | undefined): void {
    if (!this.#end()) return
    const { promptTokens, cachedTokens, completionTokens, decodeMs, longestGapMs, prefixKey } = outcome
    const { peer, digest, node, model, predicted } = this.candidate
    if (load !== undefined) this.#context.directory.reportLoad(peer, load)
    if (this.#suspended) return
    if (prefixKey !== undefined) this.#context.memory.cached(prefixKey, promptTokens + completionTokens)
    this.#context.reputation.observe(peer, digest, {
      type: 'complete',
      promptTokens,
      cachedTokens,
      completionTokens,
      roundTripMs: node.roundTripMs,
      estimatedWaitMs: this.reportedWaitMs,
      ttftMs: (this.#firstTokenAt ?? this.#context.now()) - this.sentAt,
      decodeMs,
      longestGapMs,
      predictedMs: predicted.totalMs,
      claims: model
    })
  }

  /** A complete reply that has no tokens to time: embeddings, or an audit. */
  served(): void {
    if (!this.#end()) return
    this.#context.memory.accepted()
    const work = this.#kind === 'audit' ? 'audit' : 'embeddings'
    this.#context.reputation.observe(this.candidate.peer, this.candidate.digest, { type: 'served', work })
  }

  /** The node refused or failed, or the caller aborted. `ERROR_POLICY` decides what follows. */
  failed({ code, retryAfterMs }: Pick<PotluckError, 'code' | 'retryAfterMs'>): void {
    if (!this.#end()) return
    const { peer, digest } = this.candidate
    const { backoff, evict, penalty } = ERROR_POLICY[code]
    log.select('…%s ended with %s after %d ms', peer.slice(-8), code, Math.round(this.#context.now() - this.sentAt))
    if (this.#suspended && ERROR_POLICY[code].doubtful === true) return
    if (backoff) this.#context.memory.backoff(retryAfterMs)
    // A node that refuses or drops an audit, or is late with it, still answers. An audit has no `accepted`, so a full
    // queue looks like silence. Only an unreachable node and a broken protocol count.
    if (this.#kind === 'audit' && penalty !== 'unreachable' && penalty !== 'violation') return
    if (evict) this.#context.directory.evict(peer)
    this.#context.reputation.observe(peer, digest, { type: 'failed', code })
  }

  /**
   * The client cancelled the attempt and uses another node. Before the first token this reports how long the client
   * waited. After the first token it reports nothing.
   */
  abandoned(): void {
    if (!this.#end() || this.#firstTokenAt !== undefined || this.#suspended) return
    const { peer, digest, node, model, cachedTokens } = this.candidate
    this.#context.reputation.observe(peer, digest, {
      type: 'late',
      promptTokens: this.#work.promptTokens,
      cachedTokens,
      roundTripMs: node.roundTripMs,
      estimatedWaitMs: this.reportedWaitMs,
      waitedMs: this.#context.now() - this.sentAt,
      claims: model
    })
  }

  #end(): boolean {
    if (this.#ended) return false
    this.#ended = true
    this.#suspended = this.#context.memory.suspended()
    this.#context.memory.ended()
    return true
  }
}
