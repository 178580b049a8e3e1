/**
 * Collects the events of generations on their way to the daemon. A message costs about 60 us here and wakes the daemon,
 * which runs on the same cores as the kernels; between two evaluations all answers would wait for it. So the events of
 * a round are sent together, while the next round is evaluated.
 */
import type { FromChild } from '../child/messages.ts'
import { OUTBOX_MS } from '../constants.ts'
import type { EngineEvent } from '../interface.ts'

export class Outbox {
  readonly #send: (message: FromChild) => void
  #events: { id: number; event: EngineEvent }[] = []
  #timer: NodeJS.Timeout | undefined

  constructor(send: (message: FromChild) => void) {
    this.#send = send
  }

  /** Sends the message immediately, after the collected events. */
  send(message: FromChild): void {
    this.flush()
    this.#send(message)
  }

  /** Adds an event, which the next `flush` sends. */
  push(id: number, event: EngineEvent): void {
    this.#events.push({ id, event })
    // An answer that is done, or that waits for credit, has no next round.
    this.#timer ??= setTimeout(() => this.flush(), OUTBOX_MS)
  }

  /** Sends the collected events, if there are any. */
  flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#events.length === 0) return
    this.#send({ type: 'events', events: this.#events })
    this.#events = []
  }
}
