/**
 * The types of the KV cache.
 *
 * On a processor, this code chooses types with which the logits of a token are always the same to the bit. It does not
 * matter whether llama.cpp evaluates the token alone, beside other sequences, or in a prompt. So another node resumes
 * an answer exactly, and an audit on the same kind of machine sees no noise. There are two exceptions: models without
 * flash attention, and heads whose size Q8_0 does not support, on processors other than x86.
 *
 * llama.cpp's attention has several code paths: for single tokens, for 64 tokens or more, and for long caches
 * (`ops.cpp`: `use_tiled`, `use_split_kv_path`). Without flash attention, it also has separate paths for one token and
 * for two. If keys and values have different types, it always uses the same path.
 *
 * Measured on crumb (Q8_0 and Q4_0, 900 positions, slices of 1 to 300 tokens, alone and beside others):
 * - BF16/F16 and Q8_0/F16: the logits never differ.
 * - F16/F16 with flash attention: the logits differ at all positions if a slice has 64 tokens or more.
 * - F16 or F32 without flash attention: the logits differ at 1 to 10 % of the positions, by up to 0.3.
 *
 * BF16 keys are faster than Q8_0 keys. On a 0.5B model with one thread, a single token takes 12.3 ms instead of 13.0
 * ms. After 1,024 other tokens it takes 17.7 ms instead of 19.8 ms. llama.cpp has vector instructions for BF16 on x86
 * only.
 */
import process from 'node:process'
import type { LlamaModel } from 'node-llama-cpp'

export interface CacheType {
  keys: 'F16' | 'BF16' | 'Q8_0'
  values: 'F16'
  flashAttention: boolean
}

/** Q8_0 packs this many values together, so the size of a head must be a multiple of this number. */
const BLOCK = 32

/**
 * @param onGpu whether the library found a GPU. The drivers can be installed without a GPU, and then the processor computes
 */
export function cacheType(model: LlamaModel, onGpu: boolean): CacheType {
  const { flashAttentionSupported: flashAttention } = model
  // On a GPU the logits depend on the batch with every type. So the node uses the usual type, which is the fastest.
  if (onGpu || !flashAttention) return { keys: 'F16', values: 'F16', flashAttention }
  if (process.arch === 'x64') return { keys: 'BF16', values: 'F16', flashAttention }
  return { keys: headSize(model) % BLOCK === 0 ? 'Q8_0' : 'F16', values: 'F16', flashAttention }
}

/** Whether a token's logits are the same to the bit in every batch. */
export function isBatchInvariant({ keys, values }: CacheType): boolean {
  return keys !== values
}

function headSize({ fileInfo: { architectureMetadata: metadata } }: LlamaModel): number {
  const heads = Number(metadata.attention?.head_count)
  return Number(metadata.attention?.key_length ?? Number(metadata.embedding_length) / heads)
}
