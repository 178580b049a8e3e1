import type { PotluckError, Timings } from '@potluck/protocol'

import type { AttemptEvent } from './attempt.ts'
import type { AcceptedPart, AnswerMetadata, AnswerPart, AttemptFailure, Beginning } from './parts.ts'
import type { Trial } from './trial.ts'

/** Times and places of one answer, for its metadata. */
export class Progress {
  readonly #startedAt: number
  readonly #seed: bigint
  readonly #failures: AttemptFailure[] = []
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

  accepted(
    trial: Trial,
    { promptTokens, queuePosition, estimatedWaitMs }: Extract<AttemptEvent, { type: 'accepted' }>
  ): AcceptedPart {
    return { type: 'accepted', ...placeOf(trial), promptTokens: promptTokens.length, queuePosition, estimatedWaitMs }
  }

  /** What the caller gets to see from the first token on. */
  part(event: AttemptEvent, trial: Trial, beginning: Beginning | undefined): AnswerPart | undefined {
    switch (event.type) {
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
            ...placeOf(trial),
            ...this.#measured(trial, event.usage.completionTokens, event.timings),
            seed: this.#seed,
            timings: event.timings,
            failures: this.#failures,
            ...(beginning === undefined ? {} : { beginning }),
            receipt: event.receipt
          }
        }
      case 'connected':
      case 'accepted':
        return undefined
    }
  }

  #measured(
    { connection }: Trial,
    tokens: number,
    { decodeMs }: Timings
  ): Pick<AnswerMetadata, 'address' | 'relayed' | 'encryption' | 'muxer' | 'ttftMs' | 'totalMs' | 'tokensPerSecond'> {
    const now = performance.now()
    const firstTokenAt = this.#firstTokenAt ?? now
    // Tokens that arrive together took longer than their arrival. A node can only make itself slower by this.
    const seconds = Math.max(this.#lastTokenAt - firstTokenAt, decodeMs) / 1000
    return {
      address: connection?.remoteAddr.toString() ?? '',
      relayed: connection?.direct === false,
      encryption: connection?.encryption ?? '',
      muxer: connection?.multiplexer ?? '',
      ttftMs: firstTokenAt - this.#startedAt,
      totalMs: now - this.#startedAt,
      tokensPerSecond: seconds > 0 && tokens > 0 ? (tokens - 1) / seconds : 0
    }
  }
}

function placeOf({ offer: { peer, digest, model } }: Trial): Pick<AnswerMetadata, 'peerId' | 'model'> {
  return { peerId: peer, model: { digest, name: model.name } }
}
