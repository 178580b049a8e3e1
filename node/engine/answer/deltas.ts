/**
 * Gathers tokens into deltas. The first goes out at once; later ones when `DELTA_INTERVAL_MS` have
 * passed since the last message. A slow generation is sent token by token and waits for nothing; a
 * fast one saves the work of a message per token, here, in the daemon and on the wire.
 */
import type { TokenDelta, ToolCallDelta } from '@potluck/protocol'
import { DELTA_INTERVAL_MS } from '../constants.ts'
import type { Step } from './answer.ts'

export class Deltas {
  readonly #send: (delta: TokenDelta) => void
  readonly #now: () => number
  #tokens: number[] = []
  #text = ''
  #reasoning = ''
  #calls: ToolCallDelta[] = []
  #logprobs: NonNullable<Step['logprobs']>[] = []
  #lastSent = -Infinity
  #timer: NodeJS.Timeout | undefined

  /** @param now a monotonic clock in milliseconds */
  constructor(send: (delta: TokenDelta) => void, now: () => number) {
    this.#send = send
    this.#now = now
  }

  push(step: Step): void {
    this.#tokens.push(step.token)
    this.#text += step.text
    this.#reasoning += step.reasoning
    for (const call of step.calls) this.#addCall(call)
    if (step.logprobs !== undefined) this.#logprobs.push(step.logprobs)
    const wait = this.#lastSent + DELTA_INTERVAL_MS - this.#now()
    if (wait <= 0) this.flush()
    // The next token may take long: the timer bounds how late this one can be.
    else this.#timer ??= setTimeout(() => this.flush(), wait)
  }

  /** Sends what is gathered, if anything. */
  flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#tokens.length === 0) return
    const delta: TokenDelta = { tokens: this.#tokens, text: this.#text }
    if (this.#reasoning !== '') delta.reasoning = this.#reasoning
    if (this.#calls.length > 0) delta.toolCalls = this.#calls
    if (this.#logprobs.length > 0) delta.logprobs = this.#logprobs
    this.#tokens = []
    this.#text = ''
    this.#reasoning = ''
    this.#calls = []
    this.#logprobs = []
    this.#lastSent = this.#now()
    this.#send(delta)
  }

  /** Drops what is gathered: nobody waits for it any more. */
  discard(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#tokens = []
  }

  /** Pieces of one call's arguments become one. */
  #addCall(call: ToolCallDelta): void {
    const last = this.#calls.at(-1)
    if (last?.index === call.index) last.arguments += call.arguments
    else this.#calls.push({ ...call })
  }
}
