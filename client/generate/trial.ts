/** One attempt under way, and what selection, reputation and directory hear of it. */
import type { Connection } from '@libp2p/interface'
import { PotluckError, type GenerateRequest, type PhaseTimeouts } from '@potluck/protocol'

import { parseAddresses } from '../discover/ask-card.ts'
import type { Directory } from '../discover/directory.ts'
import type { Network } from '../network/network.ts'
import { stallAfterMs } from '../reputation/index.ts'
import type { AttemptRecord, NodeChoice, Offer, SelectionRequest, Selector } from '../select/index.ts'
import { attempt, type AttemptEvent } from './attempt.ts'
import { Gaps } from './gaps.ts'

export interface TrialContext {
  network: Pick<Network, 'connect'>
  directory: Pick<Directory, 'reportLoad'>
  selector: Pick<Selector, 'begin'>
  timeouts: PhaseTimeouts
  /** The caller's. */
  signal: AbortSignal
}

/** What is sent, as the node gets it and as selection sees it. */
export interface Sent {
  request: GenerateRequest
  selection: SelectionRequest
  /** Beside another that is under way. */
  hedge: boolean
}

export class Trial {
  readonly offer: Offer
  readonly request: GenerateRequest
  /** For selection's questions about it. */
  readonly record: AttemptRecord<Offer>
  connection: Connection | undefined
  accepted: Extract<AttemptEvent, { type: 'accepted' }> | undefined
  readonly #directory: TrialContext['directory']
  readonly #events: AsyncGenerator<AttemptEvent, void, void>
  readonly #left = new AbortController()
  readonly #gaps = new Gaps()
  #firstTokenAt: number | undefined
  #lastTokenAt = 0
  /** The record has heard of its end. */
  #over = false

  constructor(choice: NodeChoice<Offer>, { request, selection, hedge }: Sent, context: TrialContext) {
    const { network, directory, selector, timeouts, signal } = context
    this.offer = choice.contender.node
    this.request = request
    this.#directory = directory
    this.record = selector.begin(choice, selection, hedge)
    const { card } = this.offer.sighting
    this.#events = attempt({ peerId: card.peerId, addresses: parseAddresses(card) }, request, {
      network,
      timeouts,
      gaps: this.#gaps,
      stallAfterMs: ({ usualMs }) => stallAfterMs(choice.contender.speed, usualMs, timeouts.tokenMs),
      signal: AbortSignal.any([signal, this.#left.signal])
    })
  }

  /** The prompt's ids: those that the node gave, or that it was given. */
  get promptTokens(): readonly number[] {
    return this.request.continuation?.promptTokens ?? this.accepted?.promptTokens ?? []
  }

  /** @throws PotluckError as `attempt` */
  async next(): Promise<AttemptEvent> {
    try {
      const { value } = await this.#events.next()
      if (value === undefined) throw new TypeError('the attempt is over')
      this.#note(value)
      return value
    } catch (error) {
      if (error instanceof PotluckError) this.#end(() => this.record.failed(error.code, error.retryAfterMs))
      throw error
    }
  }

  /** @param prefixKey of the conversation with this answer */
  complete({ usage }: Extract<AttemptEvent, { type: 'done' }>, prefixKey: string): void {
    const earlier = this.request.continuation?.answerTokens.length ?? 0
    this.#end(() =>
      this.record.complete({
        promptTokens: usage.promptTokens + earlier,
        cachedTokens: usage.cachedTokens,
        completionTokens: usage.completionTokens - earlier,
        decodeMs: this.#firstTokenAt === undefined ? 0 : this.#lastTokenAt - this.#firstTokenAt,
        longestGapMs: this.#gaps.longestMs,
        prefixKey
      })
    )
  }

  /** Given up for another node, which is no failure of this one. */
  leave(): void {
    this.#end(() => this.record.left())
    void this.close()
  }

  /** Ends the attempt, if it runs: then by the caller's wish. */
  async close(): Promise<void> {
    this.#end(() => this.record.failed('aborted'))
    this.#left.abort(new PotluckError('aborted', 'the attempt was given up'))
    await this.#events.return()
  }

  #note(event: AttemptEvent): void {
    switch (event.type) {
      case 'connected':
        this.connection = event.connection
        return
      case 'accepted':
        this.accepted = event
        this.#directory.reportLoad(this.offer.peer, event.load)
        return this.record.accepted(event.estimatedWaitMs)
      case 'delta':
        this.#lastTokenAt = performance.now()
        if (this.#firstTokenAt === undefined) this.record.firstToken()
        this.#firstTokenAt ??= this.#lastTokenAt
        return
      case 'done':
        this.#directory.reportLoad(this.offer.peer, event.load)
    }
  }

  #end(tell: () => void): void {
    if (this.#over) return
    this.#over = true
    tell()
  }
}
