/// <reference lib="esnext.float16" />
/**
 * Derives other model files from one Q8_0 or F32 file, with the same tokenizer and template. Most derived files are
 * models that a cheating node might serve instead of the original. One of them (`f32`) has the same weights in single
 * precision, and simulates honest nodes with other hardware.
 */
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import { GgmlType, readGgufFileInfo } from 'node-llama-cpp'
import { BLOCK_WEIGHTS, GGML_TYPES, quantise, type BlockType } from './quantise.ts'
import { xorshift32 } from './random.ts'

/** Q8_0: a half-precision scale and 32 signed bytes. */
const BLOCK = { weights: 32, bytes: 34 }
const ALIGNMENT = 32
const CACHE = new URL('../../.cache/audit/', import.meta.url)

export type Derivation =
  /** The same weights in single precision. The engine then does not quantise activations, like many GPUs. */
  | { kind: 'f32' }
  /** Weights in another format. Matrices whose rows are no whole number of blocks stay as they are. */
  | { kind: 'type'; type: BlockType }
  /** Weights rounded to this many bits, as in a smaller quantisation. */
  | { kind: 'bits'; bits: number }
  /**
   * Weights with normally distributed noise, as in another fine-tune of the model. The standard deviation is this share
   * of the largest weight of the block.
   */
  | { kind: 'noise'; share: number }
  /** One layer has no effect, as in a cheaper model. */
  | { kind: 'without'; layer: number }

interface Tensor {
  name: string
  dimensions: readonly number[]
  type: GgmlType
  bytes: Buffer
}

/** Returns the path of the derived model. The first call writes the file. */
export async function derive(source: string, derivation: Derivation): Promise<string> {
  const { kind, ...parameters } = derivation
  const { size, mtimeMs } = await stat(source)
  const label = [kind, ...Object.values(parameters), size, Math.round(mtimeMs)].join('-')
  const path = fileURLToPath(new URL(`${basename(source, '.gguf')}-${label}.gguf`, CACHE))
  const exists = await stat(path).then(
    () => true,
    () => false
  )
  if (exists) return path
  const info = await readGgufFileInfo(source, { sourceType: 'filesystem', logWarnings: false })
  const file = await readFile(source)
  const tensors = (info.fullTensorInfo ?? []).map((tensor): Tensor => {
    const dimensions = tensor.dimensions.map(Number)
    const start = Number(tensor.filePart === 1 ? tensor.fileOffset : 0)
    const length = sizeOf(tensor.ggmlType, dimensions)
    return {
      name: tensor.name,
      dimensions,
      type: tensor.ggmlType,
      bytes: Buffer.from(file.subarray(start, start + length))
    }
  })
  const derived = tensors.map((tensor) => change(tensor, derivation))
  await mkdir(CACHE, { recursive: true })
  await writeFile(path, assemble(file.subarray(0, info.metadataSize), derived))
  return path
}

function change(tensor: Tensor, derivation: Derivation): Tensor {
  if (derivation.kind === 'type') return quantised(tensor, derivation.type)
  if (tensor.type !== GgmlType.Q8_0) return tensor
  switch (derivation.kind) {
    case 'f32':
      return { ...tensor, type: GgmlType.F32, bytes: asSingles(tensor.bytes) }
    case 'bits':
      eachBlock(tensor.bytes, (block) => onGrid(block, 2 ** (derivation.bits - 1) - 1))
      return tensor
    case 'noise': {
      const random = randomFor(tensor.name)
      eachBlock(tensor.bytes, (block) => move(block, derivation.share, random))
      return tensor
    }
    case 'without':
      if (new RegExp(`^blk\\.${derivation.layer}\\.(attn_output|ffn_down)\\.`).test(tensor.name)) tensor.bytes.fill(0)
      return tensor
  }
}

function quantised(tensor: Tensor, type: BlockType): Tensor {
  const { dimensions, bytes } = tensor
  const isMatrix = dimensions.length === 2 && dimensions[0]! % BLOCK_WEIGHTS === 0
  if (!isMatrix || (tensor.type !== GgmlType.Q8_0 && tensor.type !== GgmlType.F32)) return tensor
  const singles = tensor.type === GgmlType.F32 ? bytes : asSingles(bytes)
  const values = new Float32Array(singles.buffer.slice(singles.byteOffset, singles.byteOffset + singles.length))
  return { ...tensor, type: GGML_TYPES[type], bytes: quantise(values, type) }
}

function eachBlock(bytes: Buffer, use: (block: DataView) => void): void {
  for (let start = 0; start < bytes.length; start += BLOCK.bytes) {
    use(new DataView(bytes.buffer, bytes.byteOffset + start, BLOCK.bytes))
  }
}

function asSingles(bytes: Buffer): Buffer {
  const values = new Float32Array((bytes.length / BLOCK.bytes) * BLOCK.weights)
  let index = 0
  eachBlock(bytes, (block) => {
    const scale = block.getFloat16(0, true)
    for (let weight = 0; weight < BLOCK.weights; weight++) values[index++] = scale * block.getInt8(2 + weight)
  })
  return Buffer.from(values.buffer)
}

function onGrid(block: DataView, most: number): void {
  let largest = 0
  for (let weight = 0; weight < BLOCK.weights; weight++)
    largest = Math.max(largest, Math.abs(block.getInt8(2 + weight)))
  const step = largest / most
  if (step === 0) return
  block.setFloat16(0, block.getFloat16(0, true) * step, true)
  for (let weight = 0; weight < BLOCK.weights; weight++) {
    block.setInt8(2 + weight, Math.round(block.getInt8(2 + weight) / step))
  }
}

function move(block: DataView, share: number, random: () => number): void {
  for (let weight = 0; weight < BLOCK.weights; weight++) {
    const moved = block.getInt8(2 + weight) + 127 * share * normal(random)
    block.setInt8(2 + weight, Math.max(-127, Math.min(127, Math.round(moved))))
  }
}

/** A normally distributed number, by the Box-Muller transform. */
function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
}

/** Random numbers in [0, 1), with the name as their seed, so that the file is the same on every machine. */
function randomFor(name: string): () => number {
  const hash = Array.from(name).reduce(
    (state, character) => Math.imul(state ^ character.charCodeAt(0), 0x01000193),
    0x811c9dc5
  )
  const next = xorshift32(hash)
  return () => next() / 2 ** 32
}

/**
 * Writes the unchanged metadata, and a new list of tensors. Format:
 * https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
 */
function assemble(metadata: Buffer, tensors: readonly Tensor[]): Buffer {
  const parts: Buffer[] = [metadata]
  let offset = 0
  for (const { name, dimensions, type, bytes } of tensors) {
    const entry = Buffer.alloc(8 + name.length + 4 + dimensions.length * 8 + 4 + 8)
    let at = entry.writeBigUInt64LE(BigInt(name.length))
    at += entry.write(name, at)
    at = entry.writeUInt32LE(dimensions.length, at)
    for (const size of dimensions) at = entry.writeBigUInt64LE(BigInt(size), at)
    at = entry.writeUInt32LE(type, at)
    entry.writeBigUInt64LE(BigInt(offset), at)
    parts.push(entry)
    offset += bytes.length + padding(bytes.length)
  }
  const head = Buffer.concat(parts)
  const data = tensors.flatMap(({ bytes }) => [bytes, Buffer.alloc(padding(bytes.length))])
  return Buffer.concat([head, Buffer.alloc(padding(head.length)), ...data])
}

const padding = (size: number): number => (ALIGNMENT - (size % ALIGNMENT)) % ALIGNMENT

function sizeOf(type: GgmlType, dimensions: readonly number[]): number {
  const weights = dimensions.reduce((product, size) => product * size, 1)
  if (type === GgmlType.Q8_0) return (weights / BLOCK.weights) * BLOCK.bytes
  if (type === GgmlType.F32) return weights * 4
  throw new Error(`Cannot derive a model from tensors of type ${GgmlType[type]}.`)
}
