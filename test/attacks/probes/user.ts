/**
 * A user with three apps: a chat, an agent with tools, and a program that reads fields from a passage. Their texts are
 * sentences of the README files of the installed packages, so they do not depend on the code that invents probes.
 */
import type { ChatOptions } from '@potluck/client'
import type { ChatMessage } from '@potluck/protocol'

import { packageReadmes, readSentences } from './corpus.ts'

/** The answers are short, because the measurement needs thousands of them. Tokens. */
const MAX_TOKENS = 64

/**
 * Pauses in a conversation and before it, milliseconds. A person is 5,000 times as slow, and so are the answers of a
 * node.
 */
const THINKING_MS = { median: 4, spread: 0.6 }
const BETWEEN_MS = { median: 40, spread: 1.3 }
/** The lengths of messages. */
const LENGTH_SPREAD = 0.6

interface App {
  weight: number
  options: Omit<ChatOptions, 'messages'>
  system: string | undefined
  /** Median length of the first message and of later messages, characters. */
  lengths: [number, number]
  /** The chance of another turn. */
  another: number
}

export interface UserRequest {
  options: ChatOptions
  /** How long the user waits before it, milliseconds. */
  pauseMs: number
}

export class User {
  readonly #random: () => number
  readonly #pace: number
  readonly #sentences: readonly string[]
  readonly #apps: readonly App[]

  /**
   * @param random uniform in [0, 1)
   * @param pace the factor of all pauses
   */
  constructor(random: () => number, pace: number) {
    this.#random = random
    this.#pace = pace
    this.#sentences = readSentences(packageReadmes())
    const sampling = { temperature: 0.7, topP: 0.9 }
    const tools = Array.from({ length: 3 }, (_, index) => ({
      name: `${this.#words(1)}_${index}`,
      description: this.#sentence(),
      parameters: {
        type: 'object',
        properties: { [`${this.#words(1)}_a`]: { type: 'string' }, [`${this.#words(1)}_b`]: { type: 'integer' } }
      }
    }))
    const schema = {
      type: 'object',
      properties: { title: { type: 'string' }, year: { type: 'integer' } },
      required: ['title', 'year'],
      additionalProperties: false
    }
    this.#apps = [
      {
        weight: 0.6,
        options: { ...sampling, maxTokens: MAX_TOKENS },
        system: this.#text(300),
        lengths: [120, 50],
        another: 0.55
      },
      {
        weight: 0.2,
        options: { tools, seed: 7n, maxTokens: MAX_TOKENS - 8, stop: ['\n\n'] },
        system: this.#text(600),
        lengths: [90, 70],
        another: 0.6
      },
      {
        weight: 0.2,
        options: { temperature: 0, maxTokens: MAX_TOKENS / 2, responseFormat: { type: 'json_schema', schema } },
        system: undefined,
        lengths: [700, 0],
        another: 0
      }
    ]
  }

  /** Yields the requests of one conversation. The caller passes each answer to `next`. */
  *conversation(): Generator<UserRequest, void, string> {
    const app = this.#app()
    const messages: ChatMessage[] = app.system === undefined ? [] : [{ role: 'system', content: app.system }]
    const [first, later] = app.lengths
    let length = first
    let pauseMs = this.#pause(BETWEEN_MS)
    do {
      messages.push({ role: 'user', content: this.#text(this.#around(length, LENGTH_SPREAD)) })
      const answer = yield { options: { ...app.options, messages: [...messages] }, pauseMs }
      messages.push({ role: 'assistant', content: answer })
      length = later
      pauseMs = this.#pause(THINKING_MS)
    } while (this.#random() < app.another)
  }

  #app(): App {
    let left = this.#random()
    return this.#apps.find(({ weight }) => (left -= weight) < 0) ?? this.#apps[0]!
  }

  #pause({ median, spread }: { median: number; spread: number }): number {
    return this.#pace * this.#around(median, spread)
  }

  /** Log-normal: most values are near the median, and some are several times as large. */
  #around(median: number, spread: number): number {
    const normal = Math.sqrt(-2 * Math.log(1 - this.#random())) * Math.cos(2 * Math.PI * this.#random())
    return Math.ceil(median * Math.exp(spread * normal))
  }

  #text(length: number): string {
    let text = this.#sentence()
    while (text.length < length) text += ` ${this.#sentence()}`
    return text.slice(0, Math.max(length, 2)).trim()
  }

  #words(count: number): string {
    return this.#sentence()
      .toLowerCase()
      .replaceAll(/[^a-z ]/g, '')
      .split(' ')
      .filter(({ length }) => length > 2)
      .slice(0, count)
      .join('_')
  }

  #sentence(): string {
    return this.#sentences[Math.floor(this.#random() * this.#sentences.length)] as string
  }
}
