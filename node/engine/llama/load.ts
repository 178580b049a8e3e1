import { basename } from 'node:path'
import { availableParallelism } from 'node:os'
import {
  getLlama,
  getModuleVersion,
  LlamaLogLevel,
  readGgufFileInfo,
  type GgufFileInfo,
  type Llama,
  type LlamaContext,
  type LlamaContextOptions,
  type LlamaModel
} from 'node-llama-cpp'
import type { Feature } from '@potluck/protocol'
import type { FileIdentity, LoadOptions, LoadStage } from '../child/messages.ts'
import { BATCH_TOKENS, DEFAULT_CONTEXT_LENGTH, MOST_SEQUENCES, ONE_THREAD_MODEL_BYTES } from '../constants.ts'
import type { EngineBackend, EngineModel } from '../interface.ts'
import { Batching } from './batching.ts'
import { cacheType } from './cache.ts'
import { Embedder } from './embedder.ts'
import { modelFacts } from './facts.ts'
import { identify } from './file.ts'
import { PromptTokenizer } from './prompt.ts'
import { canBeCut, conversationsFor } from './remember.ts'
import { Shaper } from '../shape/shaper.ts'
import { LlamaVocabulary } from './vocabulary.ts'

export interface LoadedModel {
  context: LlamaContext
  /** Sequences of the context that requests are evaluated on, its first ones. */
  slots: number
  /** Its other sequences. */
  remembered: number
  batching: Batching
  vocabulary: LlamaVocabulary
  prompts: PromptTokenizer
  shaper: Shaper
  embedder: Embedder
  file: FileIdentity
  model: EngineModel
  backend: EngineBackend
}

export interface LoadReport {
  progress: (stage: LoadStage, fraction: number) => void
  log: (text: string) => void
  /** The kernels are at work, and nobody waits for this thread. */
  evaluating?: () => void
}

/** The model cannot be used; the message is one line for the user. */
export class ModelRefused extends Error {
  override readonly name = 'ModelRefused'
}

/** Hashes the file, loads it and makes the context that all slots share. */
export async function load(options: LoadOptions, report: LoadReport): Promise<LoadedModel> {
  const { modelPath } = options
  const info = await readInfo(modelPath)
  const file = await identify(modelPath, options.known, (fraction) => report.progress('hash', fraction))
  const threads = options.threads ?? defaultThreads(file.sizeBytes)
  const { llama, lastError } = await startLlama(options, threads, report)
  const model = await loadFile(llama, lastError, modelPath, report)
  const contextLength = Math.min(model.trainContextSize, options.contextLength ?? DEFAULT_CONTEXT_LENGTH)
  const batching = new Batching(report.evaluating)
  const cache = cacheType(model)
  const { slots } = options
  const most = canBeCut(model) ? MOST_SEQUENCES - slots : 0
  const create = async (remembered: number): Promise<LlamaContext> =>
    createContext(model, slots, Math.min(remembered, most), {
      contextSize: contextLength,
      batchSize: Math.min(BATCH_TOKENS, contextLength * slots),
      threads,
      flashAttention: cache.flashAttention,
      experimentalKvCacheKeyType: cache.keys,
      experimentalKvCacheValueType: cache.values,
      batching: batching.options
    })
  const fitting = async (): Promise<number> => conversationsFor(model, { slots, contextLength, cache }, file.sizeBytes)
  const context =
    options.remember === undefined
      ? // What nobody asked for must not keep the model from being served.
        await create(await fitting()).catch(() => create(0))
      : await create(options.remember)
  const vocabulary = new LlamaVocabulary(model)
  const prompts = new PromptTokenizer(model, vocabulary, contextLength * vocabulary.longestPiece(), report.log)
  const shaper = new Shaper(vocabulary, prompts.format)
  const embedder = new Embedder(model, { threads, longestPiece: vocabulary.longestPiece() })
  return {
    context,
    slots,
    remembered: context.totalSequences - slots,
    batching,
    vocabulary,
    prompts,
    shaper,
    embedder,
    file,
    model: {
      ...modelFacts(info),
      digest: file.digest,
      name: options.name ?? basename(modelPath, '.gguf'),
      contextLength,
      vocabularySize: vocabulary.size,
      sizeBytes: file.sizeBytes,
      features: featuresOf({ prompts, shaper, embedder })
    },
    backend: {
      accelerator: llama.gpu === false ? 'cpu' : llama.gpu,
      engine: `node-llama-cpp/${await getModuleVersion()}`,
      kvType: `${cache.keys}/${cache.values}`.toLowerCase(),
      flashAttention: cache.flashAttention,
      ...(llama.gpu === false
        ? {}
        : { device: (await llama.getGpuDeviceNames()).join(', '), vramBytes: (await llama.getVramState()).total })
    }
  }
}

function featuresOf({
  prompts: { canChat, format },
  shaper: { canEnforce },
  embedder
}: Pick<LoadedModel, 'prompts' | 'shaper' | 'embedder'>): Feature[] {
  return [
    ...(canChat ? (['chat'] as const) : []),
    'completion',
    'logprobs',
    'score',
    ...(canEnforce ? (['json'] as const) : []),
    ...(canChat && canEnforce ? (['tools'] as const) : []),
    ...(format.reasoning === undefined ? [] : (['reasoning'] as const)),
    ...(embedder.supported ? (['embeddings'] as const) : [])
  ]
}

async function readInfo(modelPath: string): Promise<GgufFileInfo> {
  let info: GgufFileInfo
  try {
    info = await readGgufFileInfo(modelPath, { sourceType: 'filesystem', logWarnings: false })
  } catch (error) {
    throw new ModelRefused(`${modelPath} is not a readable GGUF file: ${firstLine(error)}`)
  }
  if (info.splicedParts > 1) {
    throw new ModelRefused(`${modelPath} is one of ${info.splicedParts} parts; merge them with llama-gguf-split first`)
  }
  return info
}

interface StartedLlama {
  llama: Llama
  /** What llama.cpp last complained about: its exceptions do not say. */
  lastError: () => string | undefined
}

async function startLlama({ gpu }: LoadOptions, threads: number, { log }: LoadReport): Promise<StartedLlama> {
  let lastError: string | undefined
  const llama = await getLlama({
    gpu,
    // The default may compile llama.cpp on the user's machine.
    build: 'never',
    skipDownload: true,
    maxThreads: threads,
    logLevel: LlamaLogLevel.warn,
    logger: (level, text) => {
      if (level === LlamaLogLevel.error) lastError = text.trim()
      log(text.trimEnd())
    }
  })
  return { llama, lastError: () => lastError }
}

async function loadFile(
  llama: Llama,
  lastError: () => string | undefined,
  modelPath: string,
  { progress }: LoadReport
): Promise<LlamaModel> {
  try {
    return await llama.loadModel({ modelPath, onLoadProgress: (fraction) => progress('load', fraction) })
  } catch (error) {
    throw new ModelRefused(`${modelPath} cannot be loaded: ${lastError() ?? firstLine(error)}`)
  }
}

async function createContext(
  model: LlamaModel,
  slots: number,
  remembered: number,
  options: LlamaContextOptions & { contextSize: number }
): Promise<LlamaContext> {
  try {
    return await model.createContext({
      ...options,
      sequences: slots + remembered,
      // A smaller context than was asked for would be a surprise in the middle of a conversation.
      failedCreationRemedy: false
    })
  } catch (error) {
    const wanted = `${slots} slots and ${remembered} remembered conversations of ${options.contextSize} tokens`
    throw new ModelRefused(`there is no memory for ${wanted}; ask for fewer or shorter ones: ${firstLine(error)}`)
  }
}

/** One core stays free: when anything else runs on llama.cpp's last core, all its threads wait for that one. */
function defaultThreads(modelBytes: number): number {
  return modelBytes < ONE_THREAD_MODEL_BYTES ? 1 : Math.max(1, availableParallelism() - 1)
}

export function firstLine(error: unknown): string {
  return String(error instanceof Error ? error.message : error).split('\n', 1)[0]!
}
