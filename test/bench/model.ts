/**
 * Models for benchmarks. One has random weights and the size of a real model. Its text is meaningless, but its speed is
 * that of a real model. It has the tokenizer of a small model, with unused tokens added to the vocabulary.
 */
import { stat } from 'node:fs/promises'
import { readGgufFileInfo } from 'node-llama-cpp'
import { crumb } from '../../node/models/crumb.ts'
import { createRandom } from '../../scripts/calibrate/random.ts'
import { Q4_0_BLOCK, writeGguf, type GgufTensor } from './gguf.ts'
import { cached, describe, tokenizerOf, type ModelShape } from './model-shape.ts'
import { wideCrumb } from './wide-crumb.ts'

/** 0.48 B parameters: the depth of Qwen2.5-0.5B, and a vocabulary of common size. */
export const HALF_BILLION: ModelShape = {
  width: 1024,
  layers: 24,
  heads: 16,
  keyHeads: 4,
  feedForward: 4864,
  vocabulary: 32_000,
  context: 2048
}

/**
 * The shape of crumb, with the vocabulary of a large model. The choice of a token takes a larger share of its time than
 * with any real model of this vocabulary.
 */
const LARGE_VOCABULARY: ModelShape = {
  width: 256,
  layers: 4,
  heads: 4,
  keyHeads: 2,
  feedForward: 640,
  vocabulary: 152_000,
  context: 2048
}

/**
 * Resolves a benchmark's `--model`: `crumb`, `0.5b` for the random model, `152k` for a small random model with that
 * vocabulary, `wide-crumb` for crumb with the size of `0.5b`, or a path.
 */
export async function resolveModel(name: string): Promise<string> {
  if (name === '152k') return randomModel(LARGE_VOCABULARY, crumb.Q8_0.path)
  if (name === 'wide-crumb') return wideCrumb(HALF_BILLION)
  if (name === 'crumb') return crumb.Q8_0.path
  return name === '0.5b' ? randomModel(HALF_BILLION, crumb.Q8_0.path) : name
}

/** The tokens that end an answer. Benchmarks that need answers of equal length forbid them with a logit bias. */
export async function endTokens(path: string): Promise<number[]> {
  const { metadata } = await readGgufFileInfo(path, { sourceType: 'filesystem', readTensorInfo: false })
  const { eos_token_id, eot_token_id } = metadata.tokenizer.ggml
  return [eos_token_id, eot_token_id].filter((token) => token !== undefined)
}

/**
 * Returns the path of the random model. The first call writes the file, which takes a few seconds.
 *
 * @param tokenizer GGUF file whose tokenizer and chat template the model uses
 */
export async function randomModel(shape: ModelShape, tokenizer: string): Promise<string> {
  const { width, layers, vocabulary, context } = shape
  const { size } = await stat(tokenizer)
  return cached(`random-${width}x${layers}x${vocabulary}-${context}-${size}-Q4_0.gguf`, async (path) =>
    writeGguf(
      path,
      { ...describe(shape, { name: 'random weights', fileType: 2 }), ...(await tokenizerOf(tokenizer, vocabulary)) },
      weights(shape)
    )
  )
}

function weights({ width, layers, heads, keyHeads, feedForward, vocabulary }: ModelShape): GgufTensor[] {
  const keyWidth = (width / heads) * keyHeads
  const random = createRandom(0)
  const matrix = (name: string, columns: number, rows: number, gain = 1): GgufTensor => ({
    name,
    type: 'Q4_0',
    dimensions: [columns, rows],
    bytes: () => randomQ4(columns * rows, gain / Math.sqrt(columns), random)
  })
  const norm = (name: string): GgufTensor => ({
    name,
    type: 'F32',
    dimensions: [width],
    bytes: () => new Uint8Array(new Float32Array(width).fill(1).buffer)
  })
  const layer = (index: number): GgufTensor[] => [
    norm(`blk.${index}.attn_norm.weight`),
    matrix(`blk.${index}.attn_q.weight`, width, width),
    matrix(`blk.${index}.attn_k.weight`, width, keyWidth),
    matrix(`blk.${index}.attn_v.weight`, width, keyWidth),
    matrix(`blk.${index}.attn_output.weight`, width, width),
    norm(`blk.${index}.ffn_norm.weight`),
    matrix(`blk.${index}.ffn_gate.weight`, width, feedForward),
    matrix(`blk.${index}.ffn_up.weight`, width, feedForward),
    matrix(`blk.${index}.ffn_down.weight`, feedForward, width)
  ]
  return [
    matrix('token_embd.weight', width, vocabulary, Math.sqrt(width)),
    ...Array.from({ length: layers }, (_, index) => layer(index)).flat(),
    norm('output_norm.weight'),
    // Gives logits with a standard deviation of 3. The distribution is then about as narrow as that of a real model.
    matrix('output.weight', width, vocabulary, 3)
  ]
}

/** Standard deviation of a uniform nibble minus 8. */
const NIBBLE_DEVIATION = 4.61

/** Q4_0 blocks of random nibbles, scaled to weights with the given standard deviation. */
function randomQ4(count: number, deviation: number, random: () => number): Uint8Array {
  const blocks = count / Q4_0_BLOCK.weights
  const bytes = new Uint8Array(Math.ceil((blocks * Q4_0_BLOCK.bytes) / 4) * 4)
  const words = new Uint32Array(bytes.buffer)
  for (let index = 0; index < words.length; index++) words[index] = random()
  const scale = halfPrecision(deviation / NIBBLE_DEVIATION)
  for (let block = 0; block < blocks; block++) {
    bytes[block * Q4_0_BLOCK.bytes] = scale & 0xff
    bytes[block * Q4_0_BLOCK.bytes + 1] = scale >> 8
  }
  return bytes.subarray(0, blocks * Q4_0_BLOCK.bytes)
}

/** The bits of a positive half-precision number. Does not support subnormal numbers. */
function halfPrecision(value: number): number {
  const exponent = Math.floor(Math.log2(value))
  const mantissa = Math.round((value / 2 ** exponent - 1) * 1024)
  return ((exponent + 15) << 10) + mantissa
}
