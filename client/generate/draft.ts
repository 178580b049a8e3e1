/** What there is of an answer, whichever nodes gave it: all that another node needs to go on from there. */
import type { GenerateRequest, ModelCard, PotluckError } from '@potluck/protocol'

import { parseWant, type Want } from '../discover/want.ts'
import { toRequest, type Ask } from '../request.ts'
import type { AttemptEvent } from './attempt.ts'

export class Draft {
  readonly #ask: Ask
  readonly #tokens: number[] = []
  #want: Want
  #promptTokens: readonly number[] = []
  #maxTokens: number | undefined

  /** @throws PotluckError `invalid_request` for a model that nothing can be meant by */
  constructor(ask: Ask) {
    this.#ask = ask
    this.#want = parseWant(ask.model)
    this.#maxTokens = ask.maxTokens
  }

  /** After the first token: the digest that it came from, for no other weights give the same answer. */
  get want(): Want {
    return this.#want
  }

  /** Tokens of the answer so far. */
  get length(): number {
    return this.#tokens.length
  }

  /** The next attempt's. */
  request(model: Pick<ModelCard, 'digest' | 'contextLength'>): GenerateRequest {
    const request = toRequest({ ...this.#ask, maxTokens: this.#maxTokens }, model)
    if (this.#tokens.length === 0) return request
    return { ...request, continuation: { promptTokens: this.#promptTokens, answerTokens: [...this.#tokens] } }
  }

  /** Takes what the attempt of `request` brought. */
  record(event: AttemptEvent, { modelDigest, maxTokens }: GenerateRequest): void {
    if (event.type === 'accepted' && this.#tokens.length === 0) this.#promptTokens = event.promptTokens
    if (event.type !== 'delta') return
    this.#tokens.push(...event.delta.tokens)
    this.#want = { kind: 'digest', digest: modelDigest }
    // What a model's context left room for must not change with the node.
    this.#maxTokens = maxTokens
  }

  /** Whether another node may do better after this failure. */
  mayMoveOn({ code, retryable }: PotluckError): boolean {
    // Whoever breaks the protocol may have given any tokens before: nothing is to be built on them.
    if (this.#tokens.length > 0 && code === 'protocol_violation') return false
    return retryable || code === 'context_length_exceeded'
  }
}
