/** The model in its process: slots, and what is asked of them. */
import { PotluckError, type Embeddings, type PromptInput, type ReadJob, type ParsedAnswer } from '@potluck/protocol'
import { checkTokens } from '../answer/checks.ts'
import type { Credit } from '../answer/credit.ts'
import { readAnswer } from '../answer/read.ts'
import type { TokenSet } from '../grammar/token-set.ts'
import type { EngineCounters, EngineEvent, GenerateJob, PositionScores, ScoreJob } from '../interface.ts'
import { ConversationMemory, leastWorthCopying } from '../memory.ts'
import { SlotPool } from '../pool.ts'
import { generate } from './generate.ts'
import type { LoadedModel } from './load.ts'
import { Sequence } from './sequence.ts'

export class LlamaProcessEngine {
  readonly #loaded: LoadedModel
  readonly #slots: SlotPool<Sequence>
  readonly #counters = { prefillTokens: 0, decodeTokens: 0 }

  constructor(loaded: LoadedModel) {
    this.#loaded = loaded
    const sequences = Array.from({ length: loaded.context.totalSequences }, (_, id) => {
      const sequence = loaded.context.getSequence({
        contextShift: {
          strategy: () => {
            throw new Error('an answer went beyond its context')
          }
        }
      })
      return new Sequence(id, sequence, { batching: loaded.batching, counters: this.#counters })
    })
    const { slots, model } = loaded
    const least = leastWorthCopying(model.contextLength)
    this.#slots = new SlotPool(new ConversationMemory(sequences.slice(0, slots), sequences.slice(slots), least))
  }

  tokenize(input: PromptInput): Uint32Array {
    return Uint32Array.from(this.#loaded.prompts.tokenize(input))
  }

  /** Runs a generation to its end; returns its `done`, by when the slot is free. */
  async generate(
    job: GenerateJob,
    credit: Credit,
    emit: (event: EngineEvent) => void,
    signal: AbortSignal
  ): Promise<EngineEvent> {
    checkTokens(job, this.#loaded.vocabulary.size)
    const { vocabulary, shaper, model } = this.#loaded
    const context = { vocabulary, shaper, contextLength: model.contextLength }
    return this.#withSlot([...job.promptTokens, ...job.answerTokens], (sequence) =>
      generate(job, sequence, credit, context, emit, signal)
    )
  }

  async score(job: ScoreJob, signal: AbortSignal): Promise<PositionScores[]> {
    checkTokens(job, this.#loaded.vocabulary.size)
    const { first: from = 0 } = job
    if (job.promptTokens.length === 0 || job.answerTokens.length <= from) return []
    // The last token's logits belong to the position after the answer.
    const tokens = [...job.promptTokens, ...job.answerTokens].slice(0, -1)
    if (tokens.length >= this.#loaded.model.contextLength) {
      throw new PotluckError('context_length_exceeded', 'prompt and answer do not fit the context of this model')
    }
    const constraint = this.#loaded.shaper.constraint(job.shape)
    for (const token of job.answerTokens.slice(0, from)) constraint?.accept(token)
    let position = from
    const allowed = (): TokenSet | undefined => {
      const mask = constraint?.mask()
      constraint?.accept(job.answerTokens[position++]!)
      return mask
    }
    return this.#withSlot(tokens, async (sequence) => {
      const first = job.promptTokens.length - 1 + from
      const cached = await sequence.reuse(tokens, first)
      return sequence.prefill(tokens.slice(cached), first - cached, { normaliser: false, allowed }, signal)
    })
  }

  read(job: ReadJob): ParsedAnswer {
    checkTokens({ promptTokens: [], answerTokens: job.answerTokens }, this.#loaded.vocabulary.size)
    return readAnswer(job, this.#loaded.vocabulary, this.#loaded.shaper)
  }

  async embed(texts: readonly string[], signal: AbortSignal): Promise<Embeddings> {
    const embeddings = await this.#loaded.embedder.embed(texts, signal)
    this.#counters.prefillTokens += embeddings.promptTokens
    return embeddings
  }

  counters(): Omit<EngineCounters, 'restarts'> {
    return { ...this.#counters, activeSlots: this.#slots.active }
  }

  async #withSlot<T>(tokens: readonly number[], work: (sequence: Sequence) => Promise<T>): Promise<T> {
    return this.#slots.use(tokens, async (sequence) => {
      try {
        return await work(sequence)
      } finally {
        sequence.rest()
      }
    })
  }
}
