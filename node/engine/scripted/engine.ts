/**
 * An engine without a model, for tests of faults and of time: every answer is known beforehand, and
 * every evaluation can be made to wait, to fail or never to end. It samples by the contract from
 * made-up logits, so that seeds, continuations and audits mean the same as with a real engine.
 *
 * @example
 * const gate = new Gate()
 * const engine = new ScriptedEngine({ reply: () => 'Hello!', before: (_step, signal) => gate.pass(signal) })
 * // ... start a generation, then let it evaluate its prompt and two tokens:
 * gate.step(3)
 */
import { createHash } from 'node:crypto'
import {
  PotluckError,
  type Embeddings,
  type PromptInput,
  type ReadJob,
  type ParsedAnswer,
  type TokenDelta
} from '@potluck/protocol'
import { Answer, type PositionLogits, type Step } from '../answer/answer.ts'
import { abortedError, checkTokens } from '../answer/checks.ts'
import { Credit } from '../answer/credit.ts'
import { PushedGeneration } from '../answer/generation.ts'
import { readAnswer } from '../answer/read.ts'
import { DEFAULT_SLOTS } from '../constants.ts'
import type {
  Engine,
  EngineBackend,
  EngineCounters,
  EngineEvent,
  EngineModel,
  EngineStatus,
  GenerateJob,
  Generation,
  PositionScores,
  ScoreJob
} from '../interface.ts'
import type { TokenSet } from '../grammar/token-set.ts'
import type { Shaper } from '../shape/shaper.ts'
import { ConversationMemory } from '../memory.ts'
import { SlotPool, type Slot } from '../pool.ts'
import { commonPrefix } from '../slots.ts'
import { embeddingsOf } from './embeddings.ts'
import {
  babbleLogits,
  babbleShaper,
  certainLogits,
  promptText,
  replyShaper,
  tokenize,
  vocabulary,
  VOCABULARY_SIZE
} from './model.ts'

/** What is about to be evaluated. */
export interface ScriptedStep {
  kind: 'prefill' | 'token' | 'score'
  job: ScoreJob
  /** Index in the answer of the token to come. */
  position: number
}

export interface ScriptedOptions {
  /** Default 4. */
  slots?: number
  /** Default 512. */
  contextLength?: number
  /** What the answer to this prompt is; default: babble that depends on the seed. */
  reply?: (prompt: string) => string
  /**
   * Called before every evaluation. Waiting makes the engine slow, a promise that never settles
   * makes it stall until the signal, an exception fails the generation, `'cut'` ends it without `done`.
   */
  before?: (step: ScriptedStep, signal: AbortSignal) => void | 'cut' | Promise<void | 'cut'>
  /** Overrides what the model says of itself. */
  model?: Partial<EngineModel>
  /** Milliseconds, for the timings in events. Default: always 0. */
  now?: () => number
}

class ScriptedSlot implements Slot<ScriptedSlot> {
  readonly id: number
  cached: number[] = []
  busy = false

  constructor(id: number) {
    this.id = id
  }

  async copy({ cached }: ScriptedSlot): Promise<void> {
    this.cached = [...cached]
  }
}

export class ScriptedEngine implements Engine {
  readonly model: EngineModel
  readonly backend: EngineBackend = {
    accelerator: 'cpu',
    engine: 'scripted/1',
    kvType: 'f16/f16',
    flashAttention: false
  }
  readonly slots: number
  readonly remembered = 0
  readonly #options: ScriptedOptions
  readonly #shaper: Shaper
  readonly #slots: readonly ScriptedSlot[]
  readonly #pool: SlotPool<ScriptedSlot>
  readonly #running = new Set<AbortController>()
  readonly #listeners = new Set<(status: EngineStatus) => void>()
  #status: EngineStatus = { state: 'ready' }
  #counters = { prefillTokens: 0, decodeTokens: 0, restarts: 0 }

  constructor(options: ScriptedOptions = {}) {
    this.#options = options
    this.#shaper = options.reply === undefined ? babbleShaper : replyShaper
    this.slots = options.slots ?? DEFAULT_SLOTS
    this.#slots = Array.from({ length: this.slots }, (_, id) => new ScriptedSlot(id))
    this.#pool = new SlotPool(new ConversationMemory(this.#slots, [], 0))
    this.model = {
      digest: new Uint8Array(createHash('sha256').update('scripted').digest()),
      name: 'potluck/scripted:F32',
      architecture: 'scripted',
      parameters: 0,
      quantization: 'F32',
      contextLength: options.contextLength ?? 512,
      vocabularySize: VOCABULARY_SIZE,
      sizeBytes: 0,
      features: ['chat', 'completion', 'logprobs', 'score', 'json', 'tools', 'reasoning', 'embeddings'],
      ...options.model
    }
  }

  get status(): EngineStatus {
    return this.#status
  }

  onStatus(listener: (status: EngineStatus) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** As if the process had died: everything under way fails. */
  crash(): void {
    this.#setStatus({ state: 'restarting' })
    this.#endAll('the scripted engine crashed')
  }

  /** The process is back after a crash. */
  recover(): void {
    this.#counters.restarts++
    for (const slot of this.#slots) slot.cached = []
    this.#setStatus({ state: 'ready' })
  }

  /** The engine is given up. */
  giveUp(reason: string): void {
    this.#setStatus({ state: 'failed', reason })
    this.#endAll(reason)
  }

  async tokenize(input: PromptInput, signal?: AbortSignal): Promise<number[]> {
    if (signal?.aborted) throw abortedError()
    this.#checkReady()
    return tokenize(input)
  }

  generate(job: GenerateJob, signal?: AbortSignal): Generation {
    const abort = new AbortController()
    const credit = new Credit(0)
    const generation: PushedGeneration = new PushedGeneration(
      job,
      {
        start: (started) => {
          this.#checkReady()
          credit.grant(started.credit)
          this.#running.add(abort)
          void this.#run(started, credit, generation, abort)
        },
        grant: (tokens) => credit.grant(tokens),
        abort: () => abort.abort(abortedError())
      },
      signal
    )
    return generation
  }

  async score(job: ScoreJob, signal: AbortSignal = new AbortController().signal): Promise<PositionScores[]> {
    if (signal.aborted) throw abortedError()
    this.#checkReady()
    checkTokens(job, VOCABULARY_SIZE)
    const { first = 0 } = job
    return this.#pool.use(allTokens(job), async (slot) => {
      await this.#step({ kind: 'score', job, position: 0 }, signal)
      const tokens = allTokens(job)
      this.#counters.prefillTokens += tokens.length
      slot.cached = tokens
      const constraint = this.#shaper.constraint(job.shape)
      return job.answerTokens.flatMap((token, position) => {
        const allowed = constraint?.mask()
        constraint?.accept(token)
        if (position < first) return []
        return this.#logits(tokens.slice(0, job.promptTokens.length + position), job.promptTokens.length, allowed)
      })
    })
  }

  async read(job: ReadJob, signal?: AbortSignal): Promise<ParsedAnswer> {
    if (signal?.aborted) throw abortedError()
    this.#checkReady()
    checkTokens({ promptTokens: [], answerTokens: job.answerTokens }, VOCABULARY_SIZE)
    return readAnswer(job, vocabulary, this.#shaper)
  }

  async embed(texts: readonly string[], signal?: AbortSignal): Promise<Embeddings> {
    if (signal?.aborted) throw abortedError()
    this.#checkReady()
    return embeddingsOf(texts, this.model.contextLength)
  }

  async counters(): Promise<EngineCounters> {
    return { ...this.#counters, activeSlots: this.#pool.active }
  }

  async close(): Promise<void> {
    this.#endAll('the engine was closed')
  }

  async #run(job: GenerateJob, credit: Credit, generation: PushedGeneration, abort: AbortController): Promise<void> {
    try {
      checkTokens(job, VOCABULARY_SIZE)
      const done = await this.#pool.use(allTokens(job), (slot) =>
        this.#answer(job, slot, credit, generation, abort.signal)
      )
      if (done === undefined) generation.cut()
      else generation.accept(done)
    } catch (error) {
      generation.fail(error instanceof Error ? error : new Error(String(error)))
    } finally {
      this.#running.delete(abort)
    }
  }

  async #answer(
    job: GenerateJob,
    slot: ScriptedSlot,
    credit: Credit,
    generation: PushedGeneration,
    signal: AbortSignal
  ): Promise<EngineEvent | undefined> {
    const began = this.#now()
    const answer = new Answer(job, { vocabulary, shaper: this.#shaper, contextLength: this.model.contextLength })
    const tokens = allTokens(job)
    const cachedTokens = Math.min(commonPrefix(slot.cached, tokens), job.promptTokens.length)
    if ((await this.#step({ kind: 'prefill', job, position: answer.length }, signal)) === 'cut') return undefined
    this.#counters.prefillTokens += tokens.length - cachedTokens
    const prefillMs = this.#now() - began
    generation.accept({ type: 'prefill', cachedTokens, prefillMs })
    slot.cached = tokens
    while (answer.finished === undefined) {
      if (!credit.take()) {
        await credit.available(signal)
        continue
      }
      if ((await this.#step({ kind: 'token', job, position: answer.length }, signal)) === 'cut') return undefined
      this.#counters.decodeTokens++
      const step = answer.next(this.#logits(tokens, job.promptTokens.length, answer.allowed()))
      tokens.push(step.token)
      generation.accept({ type: 'delta', delta: toDelta(step) })
    }
    const usage = { promptTokens: job.promptTokens.length, cachedTokens, completionTokens: answer.length }
    const decodeMs = this.#now() - began - prefillMs
    return { type: 'done', finishReason: answer.finished, usage, prefillMs, decodeMs }
  }

  /** The logits after these tokens, of which the first are the prompt's. */
  #logits(tokens: readonly number[], promptLength: number, allowed: TokenSet | undefined): PositionLogits {
    const { reply } = this.#options
    if (reply === undefined) return babbleLogits(tokens, allowed)
    return certainLogits(reply(promptText(tokens.slice(0, promptLength))), tokens.length - promptLength, allowed)
  }

  async #step(step: ScriptedStep, signal: AbortSignal): Promise<void | 'cut'> {
    if (signal.aborted) throw reasonOf(signal)
    const { promise: aborted, reject } = Promise.withResolvers<never>()
    const abort = (): void => reject(reasonOf(signal))
    signal.addEventListener('abort', abort, { once: true })
    try {
      return await Promise.race([this.#options.before?.(step, signal), aborted])
    } finally {
      signal.removeEventListener('abort', abort)
    }
  }

  #now(): number {
    return this.#options.now?.() ?? 0
  }

  #checkReady(): void {
    if (this.#status.state !== 'ready') throw new PotluckError('engine_failed', `the engine is ${this.#status.state}`)
  }

  #endAll(reason: string): void {
    for (const abort of this.#running) abort.abort(new PotluckError('engine_failed', reason))
  }

  #setStatus(status: EngineStatus): void {
    this.#status = status
    for (const listener of this.#listeners) listener(status)
  }
}

function toDelta({ token, text, reasoning, calls, logprobs }: Step): TokenDelta {
  return {
    tokens: [token],
    text,
    ...(reasoning === '' ? {} : { reasoning }),
    ...(calls.length === 0 ? {} : { toolCalls: calls }),
    ...(logprobs === undefined ? {} : { logprobs: [logprobs] })
  }
}

/** A caller's signal carries whatever the caller put there; ours carries the error itself. */
function reasonOf({ reason }: AbortSignal): PotluckError {
  return reason instanceof PotluckError ? reason : abortedError()
}

function allTokens({ promptTokens, answerTokens }: ScoreJob): number[] {
  return [...promptTokens, ...answerTokens]
}
