/** What a client reports to its listeners. */
import type { PeerId } from '@libp2p/interface'
import type { AnswerRecord } from '@potluck/protocol'

import type { AnswerEvent } from './generate/progress.ts'

/** One step of an answer. It contains no prompt and no text of an answer. */
export type ClientEvent = {
  /** `Answer.id` */
  answer: string
  /** Milliseconds since the epoch. */
  at: number
} & (AnswerEvent | AuditedEvent)

/** An audit of the part that `peer` generated has a result. */
export interface AuditedEvent {
  type: 'audited'
  peer: string
  /** Measured tokens. */
  tokens: number
  /** See `judgeAnswer`. */
  result: 'passed' | 'failed'
}

/** What a node generated and signed of an answer. */
export interface SignedAnswer {
  /** `Answer.id` */
  answer: string
  peerId: PeerId
  /** `sha256:…` of the model. */
  digest: string
  record: AnswerRecord
}

export class Listeners<T> {
  readonly #listeners = new Set<(value: T) => void>()

  /** Returns a function that removes the listener. */
  add(listener: (value: T) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  report(value: T): void {
    for (const listener of this.#listeners) listener(value)
  }
}
