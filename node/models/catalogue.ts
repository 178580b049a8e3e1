/**
 * Models that `potluck serve` offers where none is named: chat models under Apache-2.0 or MIT, from
 * small to large. Sizes are estimates (parameters times the quantisation's bits per weight): good
 * enough to choose by; the download itself tells the true one. None was downloaded or tried by this project.
 */
export interface CatalogueEntry {
  /** For node-llama-cpp's downloader. */
  uri: string
  licence: 'Apache-2.0' | 'MIT'
  /** The file's size, estimated. */
  approximateBytes: number
}

export const CATALOGUE: readonly CatalogueEntry[] = [
  { uri: 'hf:HuggingFaceTB/SmolLM2-360M-Instruct-GGUF:Q8_0', licence: 'Apache-2.0', approximateBytes: 0.39e9 },
  { uri: 'hf:Qwen/Qwen3-0.6B-GGUF:Q8_0', licence: 'Apache-2.0', approximateBytes: 0.64e9 },
  { uri: 'hf:Qwen/Qwen3-1.7B-GGUF:Q8_0', licence: 'Apache-2.0', approximateBytes: 1.83e9 },
  { uri: 'hf:Qwen/Qwen3-4B-GGUF:Q4_K_M', licence: 'Apache-2.0', approximateBytes: 2.5e9 },
  { uri: 'hf:Qwen/Qwen3-8B-GGUF:Q4_K_M', licence: 'Apache-2.0', approximateBytes: 5.03e9 },
  { uri: 'hf:bartowski/phi-4-GGUF:Q4_K_M', licence: 'MIT', approximateBytes: 9.05e9 },
  { uri: 'hf:Qwen/Qwen3-14B-GGUF:Q4_K_M', licence: 'Apache-2.0', approximateBytes: 9e9 },
  { uri: 'hf:Qwen/Qwen3-32B-GGUF:Q4_K_M', licence: 'Apache-2.0', approximateBytes: 19.8e9 }
]

/** Beside the weights: a few contexts of KV cache, and the engine's buffers. */
const OVERHEAD_FACTOR = 1.2
const OVERHEAD_BYTES = 0.5e9

/**
 * The models that fit, largest first.
 *
 * @param freeBytes memory that may be used, of the GPU where there is one
 */
export function fitting(freeBytes: number): CatalogueEntry[] {
  return CATALOGUE.filter(
    ({ approximateBytes }) => approximateBytes * OVERHEAD_FACTOR + OVERHEAD_BYTES <= freeBytes
  ).toSorted((a, b) => b.approximateBytes - a.approximateBytes)
}
