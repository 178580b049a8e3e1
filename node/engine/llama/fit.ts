/** Computes the memory that a model takes, before it is loaded. */
import { GgmlType, GgufInsights, type GgufFileInfo, type Llama } from 'node-llama-cpp'
import prettyBytes from 'pretty-bytes'
import type { Fit, LoadOptions } from '../child/messages.ts'
import { BATCH_TOKENS, DEFAULT_CONTEXT_LENGTH } from '../constants.ts'
import { ModelRefused } from './check-file.ts'
import { freeMemory } from './free-memory.ts'

export interface FitOptions {
  /** Slots and remembered conversations. */
  sequences: number
  contextLength: number
  /** What the model may take of the GPUs' memory; 0 without a GPU. */
  vramBytes: number
}

/** The engine's process, besides the model: Node, llama.cpp's code, the vocabulary and its buffers. */
const PROCESS_BYTES = 200e6

/** Returns what the model takes with as many layers on the GPU as fit there. */
export async function fit(insights: GgufInsights, options: FitOptions): Promise<Fit> {
  for (let gpuLayers = options.vramBytes > 0 ? insights.totalLayers : 0; gpuLayers > 0; gpuLayers--) {
    const needs = await needsOf(insights, gpuLayers, options)
    if (needs.vramBytes <= options.vramBytes) return needs
  }
  return await needsOf(insights, 0, options)
}

/**
 * Checks that the model and its slots fit into the memory that is free now. Without this check, the system would end
 * some process, or swap.
 *
 * @throws ModelRefused if they do not fit
 */
export async function checkFits(info: GgufFileInfo, llama: Llama, options: LoadOptions): Promise<void> {
  const { modelPath, slots, remember = 0, gpuLayers } = options
  const insights = await GgufInsights.from(info, llama)
  const contextLength = contextLengthOf(insights, options)
  const request = { sequences: slots + remember, contextLength }
  const { ramBytes } =
    gpuLayers === undefined
      ? await fit(insights, { ...request, vramBytes: llama.gpu === false ? 0 : (await llama.getVramState()).free })
      : await needsOf(insights, gpuLayers, request)
  const free = freeMemory()
  if (ramBytes <= free) return
  throw new ModelRefused(
    `Cannot load ${modelPath}: it takes ${prettyBytes(ramBytes)} of memory, and ${prettyBytes(free)} is free. Choose a smaller model, fewer --slots or a shorter --context, or end other programs.`
  )
}

export function contextLengthOf(
  { trainContextSize }: Pick<GgufInsights, 'trainContextSize'>,
  { contextLength = DEFAULT_CONTEXT_LENGTH }: Pick<LoadOptions, 'contextLength'>
): number {
  return Math.min(trainContextSize ?? contextLength, contextLength)
}

async function needsOf(
  insights: GgufInsights,
  gpuLayers: number,
  { sequences, contextLength }: Omit<FitOptions, 'vramBytes'>
): Promise<Fit> {
  const weights = await insights.estimateModelResourceRequirementsV2({ gpuLayers })
  const context = await insights.estimateContextResourceRequirementsV2({
    contextSize: contextLength,
    sequences,
    modelGpuLayers: gpuLayers,
    batchSize: BATCH_TOKENS,
    flashAttention: insights.flashAttentionSupported,
    // The largest types that `cacheType` chooses.
    kvCacheKeyType: GgmlType.F16,
    kvCacheValueType: GgmlType.F16
  })
  return {
    ramBytes: weights.cpuRam + context.cpuRam + PROCESS_BYTES,
    // Without a layer on the GPU, the engine does not use it.
    vramBytes: gpuLayers === 0 ? 0 : weights.gpuVram + context.gpuVram,
    gpuLayers
  }
}
