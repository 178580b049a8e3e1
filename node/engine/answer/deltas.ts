/**
 * Collects tokens into deltas. It sends the first token immediately, and later tokens once `DELTA_INTERVAL_MS` have
 * passed since the last delta. So a slow generation sends each token without delay, and a fast generation needs fewer
 * messages in this process, in the daemon and on the wire.
 */
import type { TokenDelta, ToolCallDelta } from '@potluck/protocol'
import { concat } from 'uint8arrays/concat'
import { DELTA_INTERVAL_MS } from '../constants.ts'
import type { Step } from './answer.ts'
import { addCall } from './reader.ts'

export class Deltas {
  readonly #send: (delta: TokenDelta, fingerprints: Uint8Array) => void
  readonly #now: () => number
  #tokens: number[] = []
  #fingerprints: Uint8Array[] = []
  #text = ''
  #reasoning = ''
  #calls: ToolCallDelta[] = []
  #logprobs: NonNullable<Step['logprobs']>[] = []
  #lastSent = -Infinity
  #timer: NodeJS.Timeout | undefined

  /** @param now a monotonic clock in milliseconds */
  constructor(send: (delta: TokenDelta, fingerprints: Uint8Array) => void, now: () => number) {
    this.#send = send
    this.#now = now
  }

  push(step: Step): void {
    this.#tokens.push(step.token)
    this.#fingerprints.push(step.fingerprint)
    this.#text += step.text
    this.#reasoning += step.reasoning
    for (const call of step.calls) addCall(this.#calls, call)
    if (step.logprobs !== undefined) this.#logprobs.push(step.logprobs)
    const wait = this.#lastSent + DELTA_INTERVAL_MS - this.#now()
    if (wait <= 0) this.flush()
    // The next token can take a long time. The timer limits the delay of this token.
    else this.#timer ??= setTimeout(() => this.flush(), wait)
  }

  /** Sends the collected tokens, if there are any. */
  flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#tokens.length === 0) return
    const delta: TokenDelta = { tokens: this.#tokens, text: this.#text }
    if (this.#reasoning !== '') delta.reasoning = this.#reasoning
    if (this.#calls.length > 0) delta.toolCalls = this.#calls
    if (this.#logprobs.length > 0) delta.logprobs = this.#logprobs
    const fingerprints = concat(this.#fingerprints)
    this.#tokens = []
    this.#fingerprints = []
    this.#text = ''
    this.#reasoning = ''
    this.#calls = []
    this.#logprobs = []
    this.#lastSent = this.#now()
    this.#send(delta, fingerprints)
  }

  /** Drops the collected tokens. */
  discard(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#tokens = []
  }
}
