import type { Connection } from '@libp2p/interface'
import { formatDigest, type PotluckError, type Timings } from '@potluck/protocol'

import type { Offer } from '../select/offers.ts'
import type { AttemptEvent } from './attempt.ts'
import type { AnswerMetadata, AnswerPart, AttemptFailure } from './parts.ts'

/** Times and places of one answer, for its metadata. */
export class Progress {
  readonly #startedAt: number
  readonly #seed: bigint
  readonly #failures: AttemptFailure[] = []
  #connection: Connection | undefined
  #firstTokenAt: number | undefined
  #lastTokenAt = 0

  constructor(startedAt: number, seed: bigint) {
    this.#startedAt = startedAt
    this.#seed = seed
  }

  /** @param tokens of the answer that there were */
  failed({ code, peer }: PotluckError, tokens: number): void {
    this.#failures.push({ peerId: peer ?? '', code, tokens })
  }

  /** What the caller gets to see of an event at `offer`'s node. */
  part(event: AttemptEvent, { sighting, model: { digest, name } }: Offer): AnswerPart | undefined {
    const peerId = sighting.card.peerId.toString()
    const model = { digest: formatDigest(digest), name }
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
            seed: this.#seed,
            timings: event.timings,
            failures: this.#failures,
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
