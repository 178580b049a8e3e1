/**
 * What the engine says of generations, on its way to the daemon. A message costs some 60 us here and wakes the daemon,
 * on the same cores as the kernels; between two evaluations everybody waits for it. So the deltas of a round go out
 * together, while the next one is evaluated.
 */
import { OUTBOX_MS } from '../constants.ts'
import type { FromChild } from '../child/messages.ts'
import type { EngineEvent } from '../interface.ts'

export class Outbox {
  readonly #send: (message: FromChild) => void
  #events: { id: number; event: EngineEvent }[] = []
  #timer: NodeJS.Timeout | undefined

  constructor(send: (message: FromChild) => void) {
    this.#send = send
  }

  /** Sends it at once, behind what is gathered. */
  send(message: FromChild): void {
    this.flush()
    this.#send(message)
  }

  /** Sends it soon, behind what was said before. */
  push(id: number, event: EngineEvent): void {
    this.#events.push({ id, event })
    // An answer that waits for its caller or is over has no next round.
    this.#timer ??= setTimeout(() => this.flush(), OUTBOX_MS)
  }

  /** Sends what is gathered, if anything. */
  flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#events.length === 0) return
    this.#send({ type: 'events', events: this.#events })
    this.#events = []
  }
}
