/** The model in the engine's process: its slots, and the requests that run on them. */
import { PotluckError, type Embeddings, type PromptInput, type ParsedAnswer, type ReadJob } from '@potluck/protocol'
import { SampledAnswer, type PositionLogits } from '../answer/answer.ts'
import type { Credit } from '../answer/credit.ts'
import { Deltas } from '../answer/deltas.ts'
import { readAnswer } from '../answer/read.ts'
import type { AuditEngine } from '../audit.ts'
import { checkPromptLength, checkTokens } from '../checks.ts'
import type { TokenSet } from '../grammar/token-set.ts'
import type { EngineCounters, EngineEvent, GenerateJob, PositionScores, ScoreJob } from '../interface.ts'
import { ConversationMemory, leastWorthCopying } from '../memory.ts'
import { SlotPool } from '../pool.ts'
import { checkShapes } from './internals/pinned.ts'
import type { LoadedModel } from './load.ts'
import { ContextSequence } from './sequence.ts'

export class LlamaProcessEngine {
  readonly #loaded: LoadedModel
  readonly #slots: SlotPool<ContextSequence>
  readonly #counters = { prefillTokens: 0, decodeTokens: 0 }

  /** @throws UnsupportedLibrary if this release of node-llama-cpp has other internals */
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
      if (id === 0) checkShapes(sequence)
      return new ContextSequence(id, sequence, { batching: loaded.batching, counters: this.#counters })
    })
    const { slots, model } = loaded
    const least = leastWorthCopying(model.contextLength)
    const heads = loaded.prompts.publicHeads()
    this.#slots = new SlotPool(new ConversationMemory(sequences.slice(0, slots), sequences.slice(slots), least, heads))
  }

  tokenize(input: PromptInput): Uint32Array {
    const tokens = this.#loaded.prompts.tokenize(input)
    checkPromptLength(tokens.length, this.#loaded.model.contextLength)
    return Uint32Array.from(tokens)
  }

  /**
   * Runs a generation to its end.
   *
   * @param emit takes all events except `done`
   * @returns the event `done`; the slot is free by then
   * @throws the signal's reason as soon as it is aborted
   */
  async generate(
    job: GenerateJob,
    credit: Credit,
    emit: (event: EngineEvent) => void,
    signal: AbortSignal
  ): Promise<EngineEvent> {
    checkTokens(job, this.#loaded.vocabulary.size)
    const tokens = [...job.promptTokens, ...job.answerTokens]
    return this.#withSlot(tokens, job.caller, (sequence, reusable) =>
      this.#answer(job, { tokens, sequence, reusable }, credit, emit, signal)
    )
  }

  /**
   * Reuses the cached prefix, evaluates the rest of the prompt in slices, then samples token by token while credit
   * lasts.
   */
  async #answer(
    job: GenerateJob,
    { tokens, sequence, reusable }: { tokens: readonly number[]; sequence: ContextSequence; reusable: number },
    credit: Credit,
    emit: (event: EngineEvent) => void,
    signal: AbortSignal
  ): Promise<EngineEvent> {
    const began = performance.now()
    const { vocabulary, compiler, model } = this.#loaded
    const answer = new SampledAnswer(job, { vocabulary, compiler, contextLength: model.contextLength })
    const deltas = new Deltas((delta) => emit({ type: 'delta', delta }), performance.now.bind(performance))
    const wanted = { normaliser: job.topLogprobs !== undefined, allowed: () => answer.allowed() }
    let cached = 0
    let prefillMs = 0
    let logits: PositionLogits | undefined
    try {
      if (answer.finished === undefined) {
        // The last token is always evaluated, because the first sample needs its logits.
        cached = await sequence.reuse(tokens, Math.min(reusable, tokens.length - 1), job.caller)
        const rest = tokens.slice(cached)
        ;[logits] = await sequence.prefill(rest, rest.length - 1, wanted, signal)
        prefillMs = performance.now() - began
        emit({ type: 'prefill', cachedTokens: Math.min(cached, job.promptTokens.length), prefillMs })
      }
      let last = tokens.at(-1)!
      while (answer.finished === undefined) {
        if (!credit.take()) {
          deltas.flush()
          sequence.pause()
          await credit.available(signal)
          continue
        }
        logits ??= await sequence.next(last, wanted)
        signal.throwIfAborted()
        const step = answer.next(logits)
        deltas.push(step)
        logits = undefined
        last = step.token
      }
      deltas.flush()
    } finally {
      deltas.discard()
    }
    return {
      type: 'done',
      finishReason: answer.finished,
      usage: {
        promptTokens: job.promptTokens.length,
        cachedTokens: Math.min(cached, job.promptTokens.length),
        completionTokens: answer.length
      },
      prefillMs,
      decodeMs: performance.now() - began - prefillMs
    }
  }

  /** Evaluates prompt and answer in one prefill, and returns the scores at each position of the answer. */
  async score(job: ScoreJob, signal: AbortSignal): Promise<PositionScores[]> {
    checkTokens(job, this.#loaded.vocabulary.size)
    const { first: from = 0 } = job
    if (job.promptTokens.length === 0 || job.answerTokens.length <= from) return []
    // The last token is not evaluated, because the logits after it belong to the position after the answer.
    const allTokens = [...job.promptTokens, ...job.answerTokens].slice(0, -1)
    if (allTokens.length >= this.#loaded.model.contextLength) {
      throw new PotluckError('context_length_exceeded', 'prompt and answer do not fit the context of this model')
    }
    const grammar = this.#loaded.compiler.grammar(job.constraint)
    for (const token of job.answerTokens.slice(0, from)) grammar?.accept(token)
    let position = from
    const allowed = (): TokenSet | undefined => {
      const mask = grammar?.mask()
      grammar?.accept(job.answerTokens[position++]!)
      return mask
    }
    return this.#withSlot(allTokens, job.caller, async (sequence, reusable) => {
      const first = job.promptTokens.length - 1 + from
      const cached = await sequence.reuse(allTokens, Math.min(reusable, first), job.caller)
      return sequence.prefill(allTokens.slice(cached), first - cached, { normaliser: false, allowed }, signal)
    })
  }

  read(job: ReadJob): ParsedAnswer {
    checkTokens({ promptTokens: [], answerTokens: job.answerTokens }, this.#loaded.vocabulary.size)
    return readAnswer(job, this.#loaded.vocabulary, this.#loaded.compiler)
  }

  /** The engine as an audit uses it. */
  forAudits(): AuditEngine {
    return {
      model: this.#loaded.model,
      tokenize: async (input) => Array.from(this.tokenize(input)),
      score: async (job, signal = new AbortController().signal) => await this.score(job, signal),
      read: async (job) => this.read(job)
    }
  }

  async embed(texts: readonly string[], signal: AbortSignal): Promise<Embeddings> {
    const embeddings = await this.#loaded.embedder.embed(texts, signal)
    this.#counters.prefillTokens += embeddings.promptTokens
    return embeddings
  }

  counters(): Omit<EngineCounters, 'restarts'> {
    return { ...this.#counters, activeSlots: this.#slots.active }
  }

  async #withSlot<T>(
    tokens: readonly number[],
    caller: string | undefined,
    work: (sequence: ContextSequence, reusable: number) => Promise<T>
  ): Promise<T> {
    return this.#slots.use(tokens, caller, async (sequence, reusable) => {
      try {
        return await work(sequence, reusable)
      } finally {
        sequence.pause()
      }
    })
  }
}
