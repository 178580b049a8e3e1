/** One running attempt at one node. Yields its events, and notes each of them in the record of the attempt. */
import type { Connection } from '@libp2p/interface'
import { PotluckError, type GenerateRequest, type PhaseTimeouts } from '@potluck/protocol'

import type { Clock } from '../base/clock.ts'
import { dialable } from '../discover/known-node.ts'
import { stallAfterMs } from '../reputation/index.ts'
import type { AttemptKind, AttemptRecord, RankedCandidate, Selector, Workload } from '../select/index.ts'
import type { AttemptEvent, SendRequest } from './wire.ts'

export interface AttemptContext {
  send: SendRequest
  selector: Pick<Selector, 'begin'>
  clock: Clock
  timeouts: PhaseTimeouts
  /** The signal of the caller. */
  signal: AbortSignal
}

/** One for all attempts: each is closed at its end, and capturing a stack each time is costly. */
const CANCELLED = new PotluckError('aborted', 'the attempt was cancelled')

export class Attempt {
  readonly candidate: RankedCandidate
  readonly request: GenerateRequest
  readonly record: AttemptRecord
  connection: Connection | undefined
  /** Tokens of this attempt. */
  tokens: number = 0
  accepted: Extract<AttemptEvent, { type: 'accepted' }> | undefined
  readonly #clock: Clock
  readonly #events: AsyncGenerator<AttemptEvent, void, void>
  readonly #cancelled = new AbortController()
  #firstTokenAt: number | undefined
  #lastTokenAt = 0

  /** The attempt counts as in flight at once. It sends the request when `next` is first called. */
  constructor(
    candidate: RankedCandidate,
    request: GenerateRequest,
    { work, kind }: { work: Workload; kind: AttemptKind },
    { send, selector, clock, timeouts, signal }: AttemptContext
  ) {
    this.candidate = candidate
    this.request = request
    this.record = selector.begin(candidate, work, kind)
    this.#clock = clock
    this.#events = send(dialable(candidate.node.card), request, {
      timeouts,
      stallAfterMs: (usualGapMs) => stallAfterMs(candidate.speed, usualGapMs, timeouts.tokenMs),
      signal: AbortSignal.any([signal, this.#cancelled.signal])
    })
  }

  /** The prompt's token ids. If another node began the answer, they are from that node. */
  get promptTokens(): readonly number[] {
    return this.request.continuation?.promptTokens ?? this.accepted?.promptTokens ?? []
  }

  /** @throws PotluckError as `sendRequest`, after the record has noted it */
  async next(): Promise<AttemptEvent> {
    try {
      const { value } = await this.#events.next()
      if (value === undefined) throw new TypeError('the attempt has ended')
      this.#note(value)
      return value
    } catch (error) {
      if (error instanceof PotluckError) this.record.failed(error)
      throw error
    }
  }

  /** @param prefixKey key of the conversation including this answer */
  complete(
    { usage, load, longestGapMs }: Extract<AttemptEvent, { type: 'done' }>,
    prefixKey: string | undefined
  ): void {
    const earlier = this.request.continuation?.answerTokens.length ?? 0
    this.record.complete(
      {
        promptTokens: usage.promptTokens + earlier,
        cachedTokens: usage.cachedTokens,
        completionTokens: usage.completionTokens - earlier,
        decodeMs: this.#firstTokenAt === undefined ? 0 : this.#lastTokenAt - this.#firstTokenAt,
        longestGapMs,
        prefixKey
      },
      load
    )
  }

  /** Cancels the attempt because another node answers. That is not a failure of this node. */
  abandon(): void {
    this.record.abandoned()
    void this.close()
  }

  /** Cancels the attempt if it still runs, because the caller needs no more events. */
  async close(): Promise<void> {
    this.record.failed({ code: 'aborted', retryAfterMs: undefined })
    this.#cancelled.abort(CANCELLED)
    await this.#events.return()
  }

  #note(event: AttemptEvent): void {
    switch (event.type) {
      case 'connected':
        this.connection = event.connection
        return
      case 'accepted':
        this.accepted = event
        return this.record.accepted(event.estimatedWaitMs, event.load)
      case 'delta':
        this.#lastTokenAt = this.#clock.monotonic()
        if (this.#firstTokenAt === undefined) this.record.firstToken()
        this.#firstTokenAt ??= this.#lastTokenAt
        this.tokens += event.delta.tokens.length
        return
      case 'done':
        return
    }
  }
}
