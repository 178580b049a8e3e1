/**
 * Server-sent events, written straight to Node's response: a reader that is slower than the answer
 * makes `send` wait, and through it the node, which gets no more credit.
 */
import type { ServerResponse } from 'node:http'

import { PotluckError } from '@potluck/protocol'

export interface SseOptions {
  headers: Readonly<Record<string, string>>
  keepAliveMs: number
  readerTimeoutMs: number
}

/** A stream's event: its `data`, as JSON or as it is, and a name where the API has them. */
export interface SseEvent {
  event?: string
  data: object | string
}

export class SseStream {
  readonly #outgoing: ServerResponse
  readonly #options: SseOptions
  readonly #heart: ReturnType<typeof setInterval>
  #wrote = false

  /** Sends the headers at once, so that the caller knows that it was heard while it waits in a queue. */
  constructor(outgoing: ServerResponse, options: SseOptions) {
    this.#outgoing = outgoing
    this.#options = options
    outgoing.writeHead(200, {
      ...options.headers,
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache, no-transform',
      // nginx would collect the events and deliver them together.
      'x-accel-buffering': 'no'
    })
    outgoing.flushHeaders()
    this.#heart = setInterval(() => this.#beat(), options.keepAliveMs)
  }

  /** Whether there is still a reader. */
  get open(): boolean {
    return !this.#outgoing.destroyed
  }

  /**
   * Resolves when there is room for the next ones.
   *
   * @throws PotluckError `aborted` if the reader left, `caller_stalled` if it takes nothing for too long
   */
  async sendAll(events: readonly SseEvent[]): Promise<void> {
    for (const event of events) {
      if (!this.open) throw left()
      this.#wrote = true
      if (!this.#outgoing.write(written(event))) await this.#drained()
    }
  }

  /** Ends with these, which the reader gets if it still reads. */
  end(events: readonly SseEvent[] = []): void {
    clearInterval(this.#heart)
    this.#outgoing.end(events.map(written).join(''))
  }

  /** Ends the connection with it: what a stalled reader has not taken is given up. */
  destroy(): void {
    clearInterval(this.#heart)
    this.#outgoing.destroy()
  }

  #beat(): void {
    if (!this.#wrote && !this.#outgoing.writableNeedDrain) this.#outgoing.write(': keep-alive\n\n')
    this.#wrote = false
  }

  async #drained(): Promise<void> {
    const outgoing = this.#outgoing
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const gone = (): void => reject(left())
    const timer = setTimeout(
      () => reject(new PotluckError('caller_stalled', 'the reader takes nothing')),
      this.#options.readerTimeoutMs
    )
    outgoing.once('drain', resolve).once('close', gone)
    try {
      await promise
    } finally {
      clearTimeout(timer)
      outgoing.off('drain', resolve).off('close', gone)
    }
  }
}

function written({ event, data }: SseEvent): string {
  const name = event === undefined ? '' : `event: ${event}\n`
  return `${name}data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`
}

function left(): PotluckError {
  return new PotluckError('aborted', 'the reader left')
}
