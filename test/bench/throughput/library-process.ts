/** The process behind `library.ts`. It is killed when the IPC channel to its parent closes. */
import { stat } from 'node:fs/promises'
import { DEFAULT_SAMPLING } from '@potluck/protocol'
import { getLlama, LlamaLogLevel, type EvaluationPriority, type LlamaContextSequence, type Token } from 'node-llama-cpp'
import { BATCH_TOKENS } from '../../../node/engine/constants.ts'
import { Batching } from '../../../node/engine/llama/internals/batching.ts'
import { cacheType } from '../../../node/engine/llama/cache.ts'
import type { ToLibrary } from './library.ts'
import type { BenchModel } from './target.ts'

process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'))

const batching = new Batching()
let sequences: LlamaContextSequence[] = []
let runs = 0

async function load({ path, slots, contextLength, threads, inexact = false }: BenchModel): Promise<void> {
  const llama = await getLlama({
    gpu: false,
    build: 'never',
    skipDownload: true,
    maxThreads: threads,
    logLevel: LlamaLogLevel.error
  })
  const model = await llama.loadModel({ modelPath: path })
  const cache = cacheType(model, { onGpu: false, threads, sizeBytes: (await stat(path)).size })
  const context = await model.createContext({
    sequences: slots,
    contextSize: contextLength,
    batchSize: BATCH_TOKENS,
    threads,
    flashAttention: cache.flashAttention,
    experimentalKvCacheKeyType: inexact ? 'F16' : cache.keys,
    experimentalKvCacheValueType: cache.values,
    batching: batching.options
  })
  sequences = Array.from({ length: slots }, () => context.getSequence())
}

async function answer(id: number, prompt: readonly number[], tokens: number): Promise<void> {
  const sequence = sequences[id]!
  await sequence.clearHistory()
  const { temperature, topK, topP, minP } = DEFAULT_SAMPLING
  const iterator = sequence.evaluate(prompt as Token[], {
    temperature,
    topK,
    topP,
    minP,
    seed: ++runs,
    yieldEogToken: true,
    evaluationPriority: id as EvaluationPriority
  })
  for (let count = 0; count < tokens; count++) {
    await batching.turn(id, 1)
    await iterator.next()
  }
  batching.pause(id)
  await iterator.return()
}

async function receive(message: ToLibrary): Promise<void> {
  if (message.type === 'load') await load(message.model)
  else await Promise.all(message.prompts.map((prompt, id) => answer(id, prompt, message.tokens)))
  process.send?.('done')
}

process.on('message', (message: ToLibrary) => void receive(message))
