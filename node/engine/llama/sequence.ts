import type { LlamaContextSequence, Token } from 'node-llama-cpp'
import type { PositionLogits } from '../answer/answer.ts'
import { BATCH_TOKENS, FIRST_SLICE_TOKENS, LEAST_SLICE_TOKENS, PREFILL_SLICE_MS, REPLAY_MS } from '../constants.ts'
import { commonPrefix, type SlotView } from '../slots.ts'
import type { Batching } from './batching.ts'
import { Decoder } from './decoder.ts'

export interface SequenceCounters {
  prefillTokens: number
  decodeTokens: number
}

/** Weight of the newest token in the mean of what one takes. */
const GAIN = 1 / 16

/** What evaluating takes here; learned by all sequences together. */
export class Pace {
  #tokens = FIRST_SLICE_TOKENS
  #decodeMs = Infinity

  /** Whether so many tokens can be evaluated one by one in the time that is worth it. */
  allowsReplay(tokens: number): boolean {
    return tokens * this.#decodeMs <= REPLAY_MS
  }

  /** Learns from a token that was evaluated by itself. */
  observeToken(elapsedMs: number): void {
    this.#decodeMs = this.#decodeMs === Infinity ? elapsedMs : this.#decodeMs + GAIN * (elapsedMs - this.#decodeMs)
  }

  /** How many tokens of prompt go into one evaluation. */
  get tokens(): number {
    return Math.round(this.#tokens)
  }

  /** Steers towards slices of `PREFILL_SLICE_MS`, whatever else shares the batch. */
  observe(tokens: number, elapsedMs: number): void {
    const ideal = (tokens * PREFILL_SLICE_MS) / Math.max(elapsedMs, 0.1)
    const step = Math.min(Math.max(ideal, this.#tokens / 2), this.#tokens * 2)
    this.#tokens = Math.min(Math.max(step, LEAST_SLICE_TOKENS), BATCH_TOKENS)
  }
}

/** What all sequences of a context share. */
export interface SequenceParts {
  batching: Batching
  pace: Pace
  counters: SequenceCounters
}

/** One of the context's sequences: its cache of tokens, and their evaluation. */
export class Sequence implements SlotView {
  readonly id: number
  busy = false
  readonly #sequence: LlamaContextSequence
  readonly #decoder: Decoder
  readonly #parts: SequenceParts
  #cached: number[] = []

  constructor(id: number, sequence: LlamaContextSequence, parts: SequenceParts) {
    this.id = id
    this.#sequence = sequence
    this.#decoder = new Decoder(sequence, id)
    this.#parts = parts
  }

  get cached(): readonly number[] {
    return this.#cached
  }

  /**
   * Keeps what the cache and the tokens have in common, at most `most` tokens of it, and forgets
   * the rest. Returns how many stayed: fewer where the model's memory cannot be cut there.
   */
  async reuse(tokens: readonly number[], most: number): Promise<number> {
    const common = Math.min(commonPrefix(this.#cached, tokens), most)
    await this.#sequence.adaptStateToTokens(tokens.slice(0, common) as Token[], false)
    this.#cached = this.#sequence.contextTokens
    return this.#cached.length
  }

  /** Evaluates tokens in slices, so that the signal is heard between them. */
  async prefill(tokens: readonly number[], signal: AbortSignal): Promise<void> {
    await this.score(tokens, tokens.length, signal)
  }

  /** As `prefill`, with the logits after each token from index `first` on. */
  async score(tokens: readonly number[], first: number, signal: AbortSignal): Promise<PositionLogits[]> {
    const { batching, pace, counters } = this.#parts
    const scores: PositionLogits[] = []
    for (let start = 0; start < tokens.length;) {
      signal.throwIfAborted()
      await batching.turn(this.id)
      const left = tokens.length - start
      // Never one token by itself, which is other arithmetic: then the cache would depend on the machine's mood.
      const slice = tokens.slice(start, start + (left === pace.tokens + 1 ? left : pace.tokens))
      const began = performance.now()
      scores.push(...(await this.#decoder.decode(slice, Math.max(first - start, 0), false)))
      pace.observe(slice.length, performance.now() - began)
      this.#cached.push(...slice)
      counters.prefillTokens += slice.length
      start += slice.length
    }
    signal.throwIfAborted()
    return scores
  }

  /**
   * Evaluates tokens of an answer one by one, as the node that generated them did. llama.cpp sums in
   * another order for a token by itself than for several, and the difference turns one token in some
   * hundred; so only this gives the very answer that the other node would have given.
   *
   * @returns false, with nothing evaluated, where it would take longer than it is worth
   */
  async replay(tokens: readonly number[], signal: AbortSignal): Promise<boolean> {
    if (!this.#parts.pace.allowsReplay(tokens.length)) return false
    for (const token of tokens) {
      signal.throwIfAborted()
      await this.next(token, false)
    }
    return true
  }

  /** Evaluates one token and returns the logits after it. */
  async next(token: number, normaliser: boolean): Promise<PositionLogits> {
    const { batching, pace, counters } = this.#parts
    await batching.turn(this.id)
    const began = performance.now()
    const [logits] = await this.#decoder.decode([token], 0, normaliser)
    pace.observeToken(performance.now() - began)
    this.#cached.push(token)
    counters.decodeTokens++
    return logits!
  }

  /** Nothing will be evaluated until something is asked for again: the others need not wait. */
  rest(): void {
    this.#parts.batching.leave(this.id)
  }
}
