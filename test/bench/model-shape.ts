/** What the model files of the benchmarks have in common: their shape, their tokenizer, and where they are kept. */
import { mkdir, stat } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { readGgufFileInfo } from 'node-llama-cpp'
import type { GgufValue } from './gguf.ts'

export interface ModelShape {
  width: number
  layers: number
  heads: number
  /** Key and value heads. Several query heads share one. */
  keyHeads: number
  feedForward: number
  vocabulary: number
  context: number
}

const CACHE = new URL('../../.cache/bench/', import.meta.url)

/** Returns the path of a file in the cache. If it does not exist, `write` writes it first. */
export async function cached(name: string, write: (path: string) => Promise<void>): Promise<string> {
  const path = fileURLToPath(new URL(name, CACHE))
  const exists = await stat(path).then(
    () => true,
    () => false
  )
  if (exists) return path
  await mkdir(CACHE, { recursive: true })
  await write(path)
  return path
}

/** @param fileType llama.cpp's number for the types of the weights: 2 for Q4_0, 7 for Q8_0 */
export function describe(
  shape: ModelShape,
  { name, fileType, epsilon = 1e-5 }: { name: string; fileType: number; epsilon?: number }
): Record<string, GgufValue> {
  const uint32 = (value: number): GgufValue => ({ type: 'uint32', value })
  return {
    'general.architecture': { type: 'string', value: 'llama' },
    'general.name': { type: 'string', value: name },
    'general.file_type': uint32(fileType),
    'llama.context_length': uint32(shape.context),
    'llama.embedding_length': uint32(shape.width),
    'llama.block_count': uint32(shape.layers),
    'llama.feed_forward_length': uint32(shape.feedForward),
    'llama.attention.head_count': uint32(shape.heads),
    'llama.attention.head_count_kv': uint32(shape.keyHeads),
    'llama.attention.layer_norm_rms_epsilon': { type: 'float32', value: epsilon },
    'llama.rope.dimension_count': uint32(shape.width / shape.heads),
    'llama.rope.freq_base': { type: 'float32', value: 10_000 },
    'llama.vocab_size': uint32(shape.vocabulary)
  }
}

/** llama.cpp's token type for tokens that occur in no text. */
const UNUSED = 5

/** @param path GGUF file that has the tokenizer and chat template */
export async function tokenizerOf(path: string, vocabulary: number): Promise<Record<string, GgufValue>> {
  const { tokenizer } = (await readGgufFileInfo(path, { sourceType: 'filesystem', readTensorInfo: false })).metadata
  const { ggml } = tokenizer
  const filler = Array.from({ length: vocabulary - ggml.tokens.length }, (_, index) => `\u2581~${index.toString(36)}`)
  const result: Record<string, GgufValue> = {
    'tokenizer.ggml.tokens': { type: 'strings', value: [...ggml.tokens, ...filler] },
    'tokenizer.ggml.token_type': { type: 'int32s', value: [...ggml.token_type, ...filler.map(() => UNUSED)] }
  }
  const known: Readonly<Record<string, unknown>> = { ...ggml }
  for (const [key, value] of Object.entries(known)) {
    const name = `tokenizer.ggml.${key}`
    if (key === 'scores')
      result[name] = { type: 'float32s', value: [...(value as number[]), ...filler.map(() => -1e4)] }
    else if (key === 'merges') result[name] = { type: 'strings', value: value as string[] }
    else if (typeof value === 'string') result[name] = { type: 'string', value }
    else if (typeof value === 'boolean') result[name] = { type: 'bool', value }
    else if (typeof value === 'number') result[name] = { type: 'uint32', value }
  }
  const template = tokenizer.chat_template
  if (template !== undefined) result['tokenizer.chat_template'] = { type: 'string', value: template }
  return result
}
