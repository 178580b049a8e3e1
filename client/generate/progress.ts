import type { Connection } from '@libp2p/interface'
import { formatDigest, type PotluckError, type Timings } from '@potluck/protocol'

import type { Ask } from '../request.ts'
import type { Offer } from '../select/offers.ts'
import type { AttemptEvent } from './attempt.ts'
import type { AnswerMetadata, AnswerPart } from './parts.ts'

/** Times and places of one attempt, for the metadata. */
export class Progress {
  readonly #startedAt: number
  #connection: Connection | undefined
  #firstTokenAt: number | undefined
  #lastTokenAt = 0

  constructor(startedAt: number) {
    this.#startedAt = startedAt
  }

  get hasTokens(): boolean {
    return this.#firstTokenAt !== undefined
  }

  part(
    event: AttemptEvent,
    { offer, ask, failures }: { offer: Offer; ask: Ask; failures: readonly PotluckError[] }
  ): AnswerPart | undefined {
    const peerId = offer.sighting.card.peerId.toString()
    const model = { digest: formatDigest(offer.model.digest), name: offer.model.name }
    switch (event.type) {
      case 'connected':
        this.#connection = event.connection
        return undefined
      case 'accepted': {
        const { promptTokens, queuePosition, estimatedWaitMs } = event
        return { type: 'accepted', peerId, model, promptTokens: promptTokens.length, queuePosition, estimatedWaitMs }
      }
      case 'delta':
        this.#lastTokenAt = performance.now()
        this.#firstTokenAt ??= this.#lastTokenAt
        return { type: 'delta', ...event.delta }
      case 'done':
        return {
          type: 'finish',
          finishReason: event.finishReason,
          usage: event.usage,
          metadata: {
            peerId,
            model,
            ...this.#measured(event.usage.completionTokens, event.timings),
            seed: ask.sampling.seed,
            timings: event.timings,
            failures: failures.map(({ code, peer }) => ({ peerId: peer ?? '', code })),
            receipt: event.receipt
          }
        }
    }
  }

  #measured(
    tokens: number,
    { decodeMs }: Timings
  ): Pick<AnswerMetadata, 'address' | 'relayed' | 'encryption' | 'muxer' | 'ttftMs' | 'totalMs' | 'tokensPerSecond'> {
    const now = performance.now()
    const firstTokenAt = this.#firstTokenAt ?? now
    // Tokens that arrive together took longer than their arrival. A node can only make itself slower by this.
    const seconds = Math.max(this.#lastTokenAt - firstTokenAt, decodeMs) / 1000
    return {
      address: this.#connection?.remoteAddr.toString() ?? '',
      relayed: this.#connection?.direct === false,
      encryption: this.#connection?.encryption ?? '',
      muxer: this.#connection?.multiplexer ?? '',
      ttftMs: firstTokenAt - this.#startedAt,
      totalMs: now - this.#startedAt,
      tokensPerSecond: seconds > 0 && tokens > 0 ? (tokens - 1) / seconds : 0
    }
  }
}
