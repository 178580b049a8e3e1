/** Computes the memory that a model takes, before it is loaded. */
import { GgmlType, type GgufInsights } from 'node-llama-cpp'
import type { Fit } from '../child/messages.ts'
import { BATCH_TOKENS } from '../constants.ts'

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

async function needsOf(
  insights: GgufInsights,
  gpuLayers: number,
  { sequences, contextLength }: FitOptions
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
