/**
 * The KV cache, and how attention reads it.
 *
 * On a processor it is such that a token's logits are the same to the bit whether it was evaluated by
 * itself, beside other sequences, or in a prompt: then an answer goes on exactly where another node
 * left it, and an audit on the same kind of machine sees no noise. llama.cpp 0.5's attention takes
 * another way for single tokens, for 64 and more, and for long caches (`ops.cpp`: `use_tiled`,
 * `use_split_kv_path`), and without flash attention another for one token than for two. Keys and
 * values of different types shut out all of these but one.
 *
 * Measured on crumb (Q8_0 and Q4_0, 900 positions, slices of 1 to 300, alone and beside others): BF16/F16 and Q8_0/F16
 * no difference; F16/F16 with flash attention every position from slices of 64 on; F16 and F32 without it 1 to 10 % of
 * the positions, by up to 0.3.
 *
 * Of the two that are exact, BF16 keys are the quicker: on 0.5B, one thread, a token by itself takes 12.3 ms for 13.0,
 * after 1,024 others 17.7 for 19.8. llama.cpp multiplies them by vector instructions on x86 only.
 */
import process from 'node:process'
import type { LlamaModel } from 'node-llama-cpp'

export interface CacheType {
  keys: 'F16' | 'BF16' | 'Q8_0'
  values: 'F16'
  flashAttention: boolean
}

/** Values that Q8_0 packs together: the size of a head has to be a multiple. */
const BLOCK = 32

export function cacheType(model: LlamaModel): CacheType {
  const { flashAttentionSupported: flashAttention, llama } = model
  // A GPU's kernels depend on the batch in any case; the common type is the fastest.
  if (llama.gpu !== false || !flashAttention) return { keys: 'F16', values: 'F16', flashAttention }
  if (process.arch === 'x64') return { keys: 'BF16', values: 'F16', flashAttention }
  return { keys: headSize(model) % BLOCK === 0 ? 'Q8_0' : 'F16', values: 'F16', flashAttention }
}

function headSize({ fileInfo: { architectureMetadata: metadata } }: LlamaModel): number {
  const heads = Number(metadata.attention?.head_count)
  return Number(metadata.attention?.key_length ?? Number(metadata.embedding_length) / heads)
}
