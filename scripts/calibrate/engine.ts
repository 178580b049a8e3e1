/** An engine in this process. Its settings cover the ways in which honest nodes compute the same model differently. */
import type { TokenCandidates, PromptInput, SamplingParameters } from '@potluck/protocol'
import { Credit } from '../../node/engine/answer/credit.ts'
import { BATCH_TOKENS } from '../../node/engine/constants.ts'
import type { EngineEvent } from '../../node/engine/index.ts'
import { Batching } from '../../node/engine/llama/internals/batching.ts'
import { cacheType } from '../../node/engine/llama/cache.ts'
import { LlamaProcessEngine } from '../../node/engine/llama/engine.ts'
import { load } from '../../node/engine/llama/load.ts'

/** A model file, and how the engine computes it. The defaults are the product's. */
export interface Setup {
  modelPath: string
  /** Default 1. */
  slots?: number
  /** Default 1. */
  threads?: number
  /** Most tokens of one evaluation. Default: `BATCH_TOKENS`. */
  batchSize?: number
  cache?: { keys: 'F16' | 'Q8_0'; values: 'F16' | 'Q8_0'; flashAttention: boolean }
}

/** An answer and its request. */
export interface Generated {
  promptTokens: readonly number[]
  answerTokens: readonly number[]
  sampling: SamplingParameters
}

export class CalibrationEngine {
  readonly slots: number
  readonly #engine: LlamaProcessEngine
  readonly #close: () => Promise<void>

  private constructor(engine: LlamaProcessEngine, slots: number, close: () => Promise<void>) {
    this.#engine = engine
    this.slots = slots
    this.#close = close
  }

  static async start({
    modelPath,
    slots = 1,
    threads = 1,
    batchSize = BATCH_TOKENS,
    cache
  }: Setup): Promise<CalibrationEngine> {
    const loaded = await load(
      { modelPath, slots, remember: 0, threads, gpu: false },
      { progress: () => {}, log: () => {} }
    )
    const { model } = loaded.context
    const { keys, values, flashAttention } = cache ?? cacheType(model)
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
    return new CalibrationEngine(new LlamaProcessEngine({ ...loaded, context, batching }), slots, close)
  }

  tokenize(input: PromptInput): number[] {
    return [...this.#engine.tokenize(input)]
  }

  /** Resolves to the answer's tokens. */
  async generate(
    promptTokens: readonly number[],
    sampling: SamplingParameters,
    maxTokens: number,
    signal: AbortSignal
  ): Promise<number[]> {
    const tokens: number[] = []
    const collect = (event: EngineEvent): void => {
      if (event.type === 'delta') tokens.push(...event.delta.tokens)
    }
    const job = { promptTokens, answerTokens: [], sampling, maxTokens, stop: [], credit: maxTokens }
    await this.#engine.generate(job, new Credit(maxTokens), collect, signal)
    return tokens
  }

  async score(job: Pick<Generated, 'promptTokens' | 'answerTokens'>, signal: AbortSignal): Promise<TokenCandidates[]> {
    return this.#engine.score(job, signal)
  }

  async close(): Promise<void> {
    await this.#close()
  }
}
