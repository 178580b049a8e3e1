import type {
  ControlledEvaluateInputItem,
  EvaluationPriority,
  LlamaContextSequence,
  SequenceEvaluateOptions,
  Token
} from 'node-llama-cpp'
import { CANDIDATES } from '@potluck/protocol'
import type { PositionLogits } from '../answer/answer.ts'
import { BATCH_TOKENS, FIRST_SLICE_TOKENS, LEAST_SLICE_TOKENS, PREFILL_SLICE_MS } from '../constants.ts'
import type { Batching } from './batching.ts'
import { commonPrefix, type SlotView } from '../slots.ts'

type NextOptions = NonNullable<NonNullable<Exclude<ControlledEvaluateInputItem, Token>[1]>['generateNext']>
type Outputs = Awaited<ReturnType<LlamaContextSequence['controlledEvaluate']>>

/** Raw logits of the best 64. Every option is set: temperature 0, or none, would switch off the others. */
const CANDIDATES_ONLY: NextOptions = {
  logits: true,
  options: { temperature: 1, topK: CANDIDATES, topP: 1, minP: 0, seed: 0 }
}
/** The same with the sum over the whole vocabulary, which costs a sort of it. */
const WITH_NORMALISER: NextOptions = {
  logits: { filter: { tokens: [], includeTop: CANDIDATES } },
  totalLogitWeight: true,
  options: { temperature: 1, topK: 0, topP: 1, minP: 0, seed: 0 }
}

export interface SequenceCounters {
  prefillTokens: number
  decodeTokens: number
}

/** How many tokens of prompt go into one evaluation; learned by all sequences together. */
export class SlicePace {
  #tokens = FIRST_SLICE_TOKENS

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

/** One of the context's sequences: its cache of tokens, and their evaluation. */
export class Sequence implements SlotView {
  readonly id: number
  busy = false
  readonly #sequence: LlamaContextSequence
  readonly #pace: SlicePace
  readonly #counters: SequenceCounters
  readonly #batching: Batching
  readonly #options: Pick<SequenceEvaluateOptions, 'evaluationPriority'>
  readonly #nextInput: ControlledEvaluateInputItem[] = []
  #cached: number[] = []

  constructor(
    id: number,
    sequence: LlamaContextSequence,
    { batching, pace, counters }: { batching: Batching; pace: SlicePace; counters: SequenceCounters }
  ) {
    this.id = id
    this.#sequence = sequence
    this.#batching = batching
    this.#pace = pace
    this.#counters = counters
    this.#options = { evaluationPriority: id as EvaluationPriority }
  }

  get cached(): readonly number[] {
    return this.#cached
  }

  /**
   * Keeps what the cache and the tokens have in common, at most `most` tokens of it, and forgets
   * the rest. Returns how many stayed: none where the model's memory cannot be cut.
   */
  async reuse(tokens: readonly number[], most: number): Promise<number> {
    const common = Math.min(commonPrefix(this.#cached, tokens), most)
    await this.#sequence.adaptStateToTokens(tokens.slice(0, common) as Token[], false)
    this.#cached.length = this.#sequence.nextTokenIndex
    return this.#cached.length
  }

  /** Evaluates tokens in slices, so that the signal is heard between them. */
  async prefill(tokens: readonly number[], signal: AbortSignal): Promise<void> {
    await this.#inSlices(tokens, signal, (slice) => slice as Token[])
  }

  /** As `prefill`, with the logits after each token from index `first` on. */
  async score(tokens: readonly number[], first: number, signal: AbortSignal): Promise<PositionLogits[]> {
    const scores: PositionLogits[] = []
    await this.#inSlices(
      tokens,
      signal,
      (slice, start) =>
        slice.map((token, index): ControlledEvaluateInputItem =>
          start + index < first ? (token as Token) : [token as Token, { generateNext: CANDIDATES_ONLY }]
        ),
      (outputs) => {
        for (const output of outputs) if (output !== undefined) scores.push(positionLogits(output))
      }
    )
    return scores
  }

  /** Evaluates one token and returns the logits after it. */
  async next(token: number, normaliser: boolean): Promise<PositionLogits> {
    this.#nextInput[0] = [token as Token, { generateNext: normaliser ? WITH_NORMALISER : CANDIDATES_ONLY }]
    await this.#batching.turn(this.id)
    const outputs = await this.#sequence.controlledEvaluate(this.#nextInput, this.#options)
    this.#cached.push(token)
    this.#counters.decodeTokens++
    return positionLogits(outputs[0])
  }

  /** Nothing will be evaluated until something is asked for again: the others need not wait. */
  rest(): void {
    this.#batching.leave(this.id)
  }

  async #inSlices(
    tokens: readonly number[],
    signal: AbortSignal,
    input: (slice: readonly number[], start: number) => ControlledEvaluateInputItem[],
    take?: (outputs: Outputs) => void
  ): Promise<void> {
    for (let start = 0; start < tokens.length;) {
      signal.throwIfAborted()
      const slice = tokens.slice(start, start + this.#pace.tokens)
      await this.#batching.turn(this.id)
      const began = performance.now()
      const outputs = await this.#sequence.controlledEvaluate(input(slice, start), this.#options)
      this.#pace.observe(slice.length, performance.now() - began)
      this.#cached.push(...slice)
      this.#counters.prefillTokens += slice.length
      take?.(outputs)
      start += slice.length
    }
    signal.throwIfAborted()
  }
}

/** Best first, ties to the lower id: the library's order of equal logits is whatever its sort left. */
function positionLogits(output: Outputs[number]): PositionLogits {
  const next = output?.next
  if (next?.logits === undefined) throw new Error('the engine gave no logits')
  const size = Math.min(next.logits.size, CANDIDATES)
  const tokens = new Uint32Array(size)
  const logits = new Float32Array(size)
  let count = 0
  for (const [token, logit] of next.logits) {
    let place = count
    while (place > 0 && (logits[place - 1]! < logit || (logits[place - 1] === logit && tokens[place - 1]! > token))) {
      tokens[place] = tokens[place - 1]!
      logits[place] = logits[place - 1]!
      place--
    }
    tokens[place] = token
    logits[place] = logit
    if (++count === size) break
  }
  if (next.totalLogitWeight === undefined) return { tokens, logits }
  return { tokens, logits, logNormaliser: logits[0]! + Math.log(next.totalLogitWeight) }
}
