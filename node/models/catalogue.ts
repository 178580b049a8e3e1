/**
 * The models that `potluck serve` offers if the user names none: chat models under Apache-2.0 or MIT. This project has
 * not downloaded or tried any of these models.
 *
 * Sizes are estimates: parameters times bits per weight of the quantisation. They suffice to choose a model, and the
 * download shows the exact size.
 */
export interface CatalogueEntry {
  /** A URI for node-llama-cpp's downloader. */
  uri: string
  licence: 'Apache-2.0' | 'MIT'
  /** Estimated size of the file. */
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

/** Memory beside the weights: a few contexts of KV cache, and the engine's buffers. */
const OVERHEAD_FACTOR = 1.2
const OVERHEAD_BYTES = 0.5e9

/** An estimate of the memory that a model takes with its contexts. */
export function memoryFor(fileBytes: number): number {
  return fileBytes * OVERHEAD_FACTOR + OVERHEAD_BYTES
}

/**
 * Returns the models that fit in memory, the largest first.
 *
 * @param freeBytes available memory: of the GPU if there is one, otherwise of the machine
 */
export function fitting(freeBytes: number): CatalogueEntry[] {
  return CATALOGUE.filter(({ approximateBytes }) => memoryFor(approximateBytes) <= freeBytes).toSorted(
    (a, b) => b.approximateBytes - a.approximateBytes
  )
}
