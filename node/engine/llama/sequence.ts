import type { LlamaContextSequence, Token } from 'node-llama-cpp'
import type { PositionLogits } from '../answer/answer.ts'
import { KERNEL_ROWS, SLICE_STEP_TOKENS } from '../constants.ts'
import type { Slot } from '../pool.ts'
import { commonPrefix } from '../slots.ts'
import type { Batching } from './batching.ts'
import { copyState } from './copy.ts'
import { Decoder, type LogitsWanted } from './decoder.ts'

export interface SequenceCounters {
  prefillTokens: number
  decodeTokens: number
}

/** What all sequences of a context share. */
export interface SequenceParts {
  batching: Batching
  counters: SequenceCounters
}

/** One of the context's sequences: its cache of tokens, and their evaluation. */
export class Sequence implements Slot<Sequence> {
  readonly id: number
  busy = false
  readonly #sequence: LlamaContextSequence
  readonly #parts: SequenceParts
  #cached: number[] = []
  /** Made when it is needed: its samplers take megabytes, and a sequence that only remembers needs none. */
  #evaluator: Decoder | undefined

  constructor(id: number, sequence: LlamaContextSequence, parts: SequenceParts) {
    this.id = id
    this.#sequence = sequence
    this.#parts = parts
  }

  get cached(): readonly number[] {
    return this.#cached
  }

  /** Takes over what another sequence holds. If that cannot be done, this one holds nothing. */
  async copy(from: Sequence): Promise<void> {
    this.#cached = [...from.cached]
    if (await copyState(this.#sequence, from.#sequence, from.cached.length)) return
    await this.#sequence.clearHistory()
    this.#cached = []
  }

  /**
   * Keeps what the cache and the tokens have in common, at most `most` tokens of it, and forgets
   * the rest. Returns how many stayed: fewer where the model's memory cannot be cut there, or where
   * a few more to evaluate are quicker.
   */
  async reuse(tokens: readonly number[], most: number): Promise<number> {
    let common = Math.min(commonPrefix(this.#cached, tokens), most)
    const rest = tokens.length - common
    const missing = (KERNEL_ROWS - (rest % KERNEL_ROWS)) % KERNEL_ROWS
    if (rest > SLICE_STEP_TOKENS) common = Math.max(0, common - missing)
    await this.#sequence.adaptStateToTokens(tokens.slice(0, common) as Token[], false)
    this.#cached = this.#sequence.contextTokens
    return this.#cached.length
  }

  /**
   * Evaluates tokens in slices, so that the signal is heard between them.
   *
   * @param first index of the first token after which logits are wanted
   * @param wanted as in `Decoder.decode`
   */
  async prefill(
    tokens: readonly number[],
    first: number,
    wanted: LogitsWanted,
    signal: AbortSignal
  ): Promise<PositionLogits[]> {
    const { batching, counters } = this.#parts
    const logits: PositionLogits[] = []
    for (let start = 0; start < tokens.length;) {
      signal.throwIfAborted()
      const turn = await batching.turn(this.id, tokens.length - start, start)
      // The round may have begun long after this sequence asked for it.
      signal.throwIfAborted()
      if (turn.tokens === 0) continue
      const slice = tokens.slice(start, start + turn.tokens)
      const began = performance.now()
      logits.push(...(await this.#decoder.decode(slice, Math.max(first - start, 0), wanted)))
      turn.took(performance.now() - began)
      this.#cached.push(...slice)
      counters.prefillTokens += slice.length
      start += slice.length
    }
    signal.throwIfAborted()
    return logits
  }

  /** Evaluates one token and returns the logits after it. */
  async next(token: number, wanted: LogitsWanted): Promise<PositionLogits> {
    await this.#parts.batching.turn(this.id, 1)
    const [logits] = await this.#decoder.decode([token], 0, wanted)
    this.#cached.push(token)
    this.#parts.counters.decodeTokens++
    return logits!
  }

  get #decoder(): Decoder {
    return (this.#evaluator ??= new Decoder(this.#sequence, this.id))
  }

  /** Nothing will be evaluated until something is asked for again: the others need not wait. */
  rest(): void {
    this.#parts.batching.leave(this.id)
  }
}
