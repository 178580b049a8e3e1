/** What there is of an answer, whichever nodes gave it: all that another node needs to go on from there. */
import type { GenerateRequest, ModelCard, PotluckError, PromptInput } from '@potluck/protocol'

import { TYPICAL_ANSWER_TOKENS } from '../constants.ts'
import { parseWant, type Want } from '../discover/want.ts'
import { estimatePromptTokens, toRequest, type Ask } from '../request.ts'
import { conversationKeys, type SelectionRequest } from '../select/index.ts'
import type { AttemptEvent } from './attempt.ts'
import type { Beginning } from './parts.ts'
import type { Trial } from './trial.ts'

export class Draft {
  readonly #ask: Ask
  #want: Want
  /** What is asked of the model that answers now: with what another one has begun, if so. */
  #input: PromptInput
  #maxTokens: number | undefined
  #model: Beginning['model'] | undefined
  #tokens: number[] = []
  #text = ''
  #promptTokens: readonly number[] = []
  #beginning: Beginning | undefined
  /** Of the conversation, for the model of this digest: it may be long, and is asked for often. */
  #prefixes: { digest: string; keys: readonly string[] } | undefined

  /** @throws PotluckError `invalid_request` for a model that nothing can be meant by */
  constructor(ask: Ask) {
    this.#ask = ask
    this.#want = parseWant(ask.model)
    this.#input = ask.input
    this.#maxTokens = ask.maxTokens
  }

  /** After the first token: the digest that it came from, for no other weights give the same answer. */
  get want(): Want {
    return this.#want
  }

  /** Tokens of the answer so far, by the model that answers now. */
  get length(): number {
    return this.#tokens.length
  }

  /** Text of these tokens, as it came. */
  get text(): string {
    return this.#text
  }

  /** What another model had given, if the caller allowed others. */
  get beginning(): Beginning | undefined {
    return this.#beginning
  }

  /** The next attempt's. */
  request(model: Pick<ModelCard, 'digest' | 'contextLength'>): GenerateRequest {
    const request = toRequest({ ...this.#ask, input: this.#input, maxTokens: this.#maxTokens }, model)
    if (this.#tokens.length === 0) return request
    return { ...request, continuation: { promptTokens: this.#promptTokens, answerTokens: [...this.#tokens] } }
  }

  /** The same, as selection sees it. */
  selection(digest: string, auditable: boolean): SelectionRequest {
    const promptTokens = this.length === 0 ? estimatePromptTokens({ input: this.#input }) : this.#promptTokens.length
    const most = Math.min(this.#maxTokens ?? TYPICAL_ANSWER_TOKENS, TYPICAL_ANSWER_TOKENS)
    return {
      promptTokens: promptTokens + this.length,
      maxTokens: this.#maxTokens,
      answerTokens: Math.max(1, most - this.length),
      prefixKeys: this.#prefixKeys(digest),
      auditable
    }
  }

  /** Takes what the attempt brought. */
  record(event: AttemptEvent, { offer, request, promptTokens }: Trial): void {
    if (event.type !== 'delta') return
    if (this.#tokens.length === 0) this.#promptTokens = promptTokens
    this.#tokens.push(...event.delta.tokens)
    this.#text += event.delta.text
    this.#model = { digest: offer.digest, name: offer.model.name }
    this.#want = { kind: 'digest', digest: request.modelDigest }
    // What a model's context left room for must not change with the node.
    this.#maxTokens = request.maxTokens
  }

  /** Of the conversation with this answer, for the next turn. */
  conversationKey(digest: string): string {
    return conversationKeys(digest, continued(this.#input, this.#text)).at(-1) ?? ''
  }

  /** Whether another node may do better after this failure. */
  mayMoveOn({ code, retryable }: PotluckError): boolean {
    // Whoever breaks the protocol may have given any tokens before: nothing is to be built on them.
    if (this.#tokens.length > 0 && code === 'protocol_violation') return false
    return retryable || code === 'context_length_exceeded'
  }

  /**
   * When nobody is left who has the model: lets any other take over, if the caller allows it. It reads
   * what there is of the answer as text, since ids mean something else to it.
   */
  letOtherModels(): boolean {
    if (!this.#ask.otherModels || this.#want.kind === 'auto') return false
    this.#want = { kind: 'auto' }
    if (this.#model === undefined) return true
    this.#beginning = { model: this.#model, tokens: (this.#beginning?.tokens ?? 0) + this.length }
    this.#input = continued(this.#input, this.#text)
    this.#prefixes = undefined
    this.#maxTokens = Math.max(1, (this.#maxTokens ?? 1) - this.length)
    this.#tokens = []
    this.#text = ''
    this.#model = undefined
    return true
  }

  #prefixKeys(digest: string): readonly string[] {
    if (this.#prefixes?.digest !== digest) this.#prefixes = { digest, keys: conversationKeys(digest, this.#input) }
    return this.#prefixes.keys
  }
}

/** The conversation, or the text, with so much of an answer. */
function continued(input: PromptInput, text: string): PromptInput {
  if ('prompt' in input) return { ...input, prompt: input.prompt + text }
  return { ...input, messages: [...input.messages, { role: 'assistant', content: text }] }
}
