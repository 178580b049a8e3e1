import type { EngineEvent, GenerateJob, Generation } from '../interface.ts'
import { abortedError } from './checks.ts'

/** How a generation reaches whatever runs it. */
export interface GenerationPort {
  /** Throws PotluckError `engine_failed` if nothing can run it. */
  start: (job: GenerateJob) => void
  grant: (tokens: number) => void
  abort: () => void
}

/**
 * The reader's end of a generation that runs elsewhere, at its own pace. What arrives before it is
 * read waits here, which the credit bounds. The generation begins with the iteration and is over,
 * its slot free, when the iteration has ended.
 */
export class PushedGeneration implements Generation {
  readonly #job: GenerateJob
  readonly #port: GenerationPort
  readonly #signal: AbortSignal | undefined
  readonly #events: EngineEvent[] = []
  #credit: number
  #started = false
  #over = false
  #error: Error | undefined
  #wake: (() => void) | undefined

  constructor(job: GenerateJob, port: GenerationPort, signal?: AbortSignal) {
    this.#job = job
    this.#port = port
    this.#signal = signal
    this.#credit = job.credit
  }

  grant(tokens: number): void {
    if (!this.#started) this.#credit += tokens
    else this.#port.grant(tokens)
  }

  /** The next event. */
  accept(event: EngineEvent): void {
    this.#events.push(event)
    if (event.type === 'done') this.#over = true
    this.#wake?.()
  }

  /** The end without `done`. */
  fail(error: Error): void {
    this.#over = true
    this.#error = error
    this.#wake?.()
  }

  /** The end without `done` or error: no engine does that, unless a test wants it. */
  cut(): void {
    this.#over = true
    this.#wake?.()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<EngineEvent, void, undefined> {
    if (this.#started) throw new Error('a generation is iterated once')
    if (this.#signal?.aborted) throw abortedError()
    this.#port.start({ ...this.#job, credit: this.#credit })
    this.#started = true
    const abort = (): void => this.#port.abort()
    this.#signal?.addEventListener('abort', abort, { once: true })
    try {
      yield* this.#read()
    } finally {
      this.#signal?.removeEventListener('abort', abort)
      await this.#stop()
    }
  }

  async *#read(): AsyncGenerator<EngineEvent, void, undefined> {
    for (;;) {
      // Also if the rest has arrived already: whoever aborts does not want it.
      if (this.#signal?.aborted) throw abortedError()
      const event = this.#events.shift()
      if (event !== undefined) {
        yield event
        if (event.type === 'done') return
      } else if (this.#error !== undefined) {
        throw this.#error
      } else if (this.#over) {
        return
      } else {
        await this.#next()
      }
    }
  }

  /** After a `break`: waits until the process has let go of the slot. */
  async #stop(): Promise<void> {
    if (this.#over) return
    this.#port.abort()
    while (!this.#over) await this.#next()
  }

  async #next(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve
    })
    this.#wake = undefined
  }
}
