/** An engine in this process. Its settings cover the ways in which honest nodes compute the same model differently. */
import type { OutputConstraint, PromptInput, SamplingParameters, TokenCandidates } from '@potluck/protocol'
import { concat } from 'uint8arrays/concat'
import { Credit } from '../../node/engine/answer/credit.ts'
import { BATCH_TOKENS } from '../../node/engine/constants.ts'
import type { EngineEvent } from '../../node/engine/index.ts'
import { Batching } from '../../node/engine/llama/internals/batching.ts'
import { LlamaProcessEngine } from '../../node/engine/llama/engine.ts'
import { load, type LoadedModel } from '../../node/engine/llama/load.ts'
import { useKernels } from './kernels.ts'

export type CacheFormat = 'F16' | 'BF16' | 'Q8_0' | 'Q4_0'

/** A model file, and how the engine computes it. The defaults are the product's. */
export interface Setup {
  modelPath: string
  /** Default 1. */
  slots?: number
  /** Default 1. */
  threads?: number
  /** Most tokens of one evaluation. Default: `BATCH_TOKENS`. */
  batchSize?: number
  cache?: { keys: CacheFormat; values: CacheFormat; flashAttention: boolean }
  /** Kernels of another processor, see `useKernels`. Default: the newest that this processor supports. */
  kernels?: string
  /** `auto`: the GPU that node-llama-cpp finds. Default: the processor. */
  gpu?: 'auto'
}

/** An answer and its request. */
export interface Generated {
  promptTokens: readonly number[]
  answerTokens: readonly number[]
  sampling: SamplingParameters
  constraint?: OutputConstraint
  /** That the engine computed while it generated. */
  fingerprints: Uint8Array
}

export class CalibrationEngine {
  readonly slots: number
  /** Whether the model has a chat template. */
  readonly canChat: boolean
  readonly vocabularySize: number
  readonly #engine: LlamaProcessEngine
  readonly #close: () => Promise<void>

  private constructor(engine: LlamaProcessEngine, loaded: LoadedModel, close: () => Promise<void>) {
    this.#engine = engine
    this.slots = loaded.slots
    this.canChat = loaded.prompts.canChat
    this.vocabularySize = loaded.vocabulary.size
    this.#close = close
  }

  static async start({
    modelPath,
    slots = 1,
    threads = 1,
    batchSize = BATCH_TOKENS,
    cache,
    kernels,
    gpu
  }: Setup): Promise<CalibrationEngine> {
    if (kernels !== undefined) await useKernels(kernels)
    const loaded = await load(
      { modelPath, slots, remember: 0, threads, gpu: gpu ?? false, speculate: false },
      { progress: () => {}, log: () => {} }
    )
    const { model } = loaded.context
    const { keys, values, flashAttention } = cache ?? loaded.cache
    await loaded.context.dispose()
    const batching = new Batching()
    const context = await model.createContext({
      sequences: slots,
      contextSize: loaded.model.contextLength,
      batchSize,
      threads,
      flashAttention,
      experimentalKvCacheKeyType: keys,
      experimentalKvCacheValueType: values,
      batching: batching.options
    })
    const close = async (): Promise<void> => model.llama.dispose()
    const blocksOf = cache === undefined ? loaded.blocksOf : undefined
    return new CalibrationEngine(new LlamaProcessEngine({ ...loaded, context, batching, blocksOf }), loaded, close)
  }

  tokenize(input: PromptInput): number[] {
    return [...this.#engine.tokenize(input)]
  }

  /** Resolves to the answer's tokens and their fingerprints. */
  async generate(
    promptTokens: readonly number[],
    sampling: SamplingParameters,
    maxTokens: number,
    signal: AbortSignal,
    constraint?: OutputConstraint
  ): Promise<Pick<Generated, 'answerTokens' | 'fingerprints'>> {
    const answerTokens: number[] = []
    const fingerprints: Uint8Array[] = []
    const collect = (event: EngineEvent): void => {
      if (event.type !== 'delta') return
      answerTokens.push(...event.delta.tokens)
      fingerprints.push(event.fingerprints)
    }
    const base = { promptTokens, answerTokens: [], sampling, maxTokens, stop: [], credit: maxTokens }
    const job = constraint === undefined ? base : { ...base, constraint }
    await this.#engine.generate(job, new Credit(maxTokens), collect, signal)
    return { answerTokens, fingerprints: concat(fingerprints) }
  }

  async score(
    job: Pick<Generated, 'promptTokens' | 'answerTokens' | 'constraint'>,
    signal: AbortSignal
  ): Promise<TokenCandidates[]> {
    return this.#engine.score(job, signal)
  }

  /** See `measureNoise`. */
  async noise(signal: AbortSignal): Promise<number | undefined> {
    return this.#engine.noise(signal)
  }

  async close(): Promise<void> {
    await this.#close()
  }
}
