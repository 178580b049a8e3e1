/** Computes how many conversations fit into memory besides a model and its slots. */
import process from 'node:process'
import { GgmlType, type LlamaModel } from 'node-llama-cpp'
import { conversationsThatFit } from '../memory.ts'
import { BATCH_TOKENS } from '../constants.ts'
import type { CacheType } from './cache.ts'

/** The context without remembered conversations. */
export interface SlotsContext {
  slots: number
  contextLength: number
  cache: CacheType
}

/** @param sizeBytes the size of the model file */
export async function conversationsFor(model: LlamaModel, context: SlotsContext, sizeBytes: number): Promise<number> {
  const { fileInsights, gpuLayers, llama } = model
  const { slots, contextLength, cache } = context
  const needs = async (sequences: number): Promise<{ cpuRam: number; gpuVram: number }> =>
    fileInsights.estimateContextResourceRequirementsV2({
      contextSize: contextLength,
      sequences,
      modelGpuLayers: gpuLayers,
      batchSize: BATCH_TOKENS,
      flashAttention: cache.flashAttention,
      kvCacheKeyType: GgmlType[cache.keys],
      kvCacheValueType: GgmlType[cache.values]
    })
  const [without, withOne] = [await needs(slots), await needs(slots + 1)]
  // The system counts the mapped pages of the file as available memory, but the engine needs them.
  const mappedBytes = sizeBytes * (1 - gpuLayers / fileInsights.totalLayers)
  return conversationsThatFit([
    {
      freeBytes: process.availableMemory() - mappedBytes - without.cpuRam,
      bytesEach: withOne.cpuRam - without.cpuRam
    },
    {
      freeBytes: llama.gpu === false ? 0 : (await llama.getVramState()).free - without.gpuVram,
      bytesEach: withOne.gpuVram - without.gpuVram
    }
  ])
}
