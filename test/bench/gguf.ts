/**
 * Writes GGUF files, version 3. Supports only what the benchmarks' models need.
 * Specification: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
 */
import { open, rename } from 'node:fs/promises'

export type GgufValue =
  | { type: 'uint32'; value: number }
  | { type: 'float32'; value: number }
  | { type: 'bool'; value: boolean }
  | { type: 'string'; value: string }
  | { type: 'strings'; value: readonly string[] }
  | { type: 'float32s'; value: readonly number[] }
  | { type: 'int32s'; value: readonly number[] }

/** The numbers of metadata types in the file. */
const TYPE = { uint32: 4, int32: 5, float32: 6, bool: 7, string: 8, array: 9 } as const
/** The numbers of tensor types in the file. */
const TENSOR_TYPE = { F32: 0, Q4_0: 2, Q8_0: 8 } as const
const ALIGNMENT = 32

export interface GgufTensor {
  name: string
  type: keyof typeof TENSOR_TYPE
  /** In GGUF's order: the first dimension is the length of a row. */
  dimensions: readonly number[]
  bytes: () => Uint8Array
}

/** A Q4_0 block holds 32 weights: a half-precision scale and 16 bytes of nibbles. */
export const Q4_0_BLOCK = { weights: 32, bytes: 18 }
/** A Q8_0 block holds 32 weights: a half-precision scale and 32 bytes. */
export const Q8_0_BLOCK = { weights: 32, bytes: 34 }

/** Writes a temporary file first and renames it, so that the file at `path` is always complete. */
export async function writeGguf(
  path: string,
  metadata: Readonly<Record<string, GgufValue>>,
  tensors: readonly GgufTensor[]
): Promise<void> {
  const temporary = `${path}.${process.pid}`
  const file = await open(temporary, 'w')
  try {
    const head = header(metadata, tensors)
    await file.write(Buffer.concat([head, padding(head.length)]))
    for (const tensor of tensors) {
      const bytes = tensor.bytes()
      await file.write(bytes)
      await file.write(padding(bytes.length))
    }
  } finally {
    await file.close()
  }
  await rename(temporary, path)
}

function header(metadata: Readonly<Record<string, GgufValue>>, tensors: readonly GgufTensor[]): Buffer {
  const entries = Object.entries(metadata)
  const parts = [Buffer.from('GGUF'), u32(3), u64(tensors.length), u64(entries.length)]
  for (const [key, value] of entries) parts.push(text(key), encode(value))
  let offset = 0
  for (const { name, type, dimensions } of tensors) {
    parts.push(text(name), u32(dimensions.length), ...dimensions.map(u64), u32(TENSOR_TYPE[type]), u64(offset))
    offset += aligned(sizeOf(type, dimensions))
  }
  return Buffer.concat(parts)
}

function encode(value: GgufValue): Buffer {
  switch (value.type) {
    case 'uint32':
      return Buffer.concat([u32(TYPE.uint32), u32(value.value)])
    case 'float32':
      return Buffer.concat([u32(TYPE.float32), f32(value.value)])
    case 'bool':
      return Buffer.concat([u32(TYPE.bool), Buffer.of(value.value ? 1 : 0)])
    case 'string':
      return Buffer.concat([u32(TYPE.string), text(value.value)])
    case 'strings':
      return array(TYPE.string, value.value.map(text))
    case 'float32s':
      return array(TYPE.float32, value.value.map(f32))
    case 'int32s':
      return array(TYPE.int32, value.value.map(u32))
  }
}

function array(type: number, items: readonly Buffer[]): Buffer {
  return Buffer.concat([u32(TYPE.array), u32(type), u64(items.length), ...items])
}

function sizeOf(type: GgufTensor['type'], dimensions: readonly number[]): number {
  const weights = dimensions.reduce((product, size) => product * size, 1)
  if (type === 'F32') return weights * 4
  const block = type === 'Q4_0' ? Q4_0_BLOCK : Q8_0_BLOCK
  return (weights / block.weights) * block.bytes
}

const aligned = (size: number): number => Math.ceil(size / ALIGNMENT) * ALIGNMENT
const padding = (size: number): Buffer => Buffer.alloc(aligned(size) - size)

function u32(value: number): Buffer {
  const buffer = Buffer.alloc(4)
  buffer.writeInt32LE(value | 0)
  return buffer
}

function u64(value: number): Buffer {
  const buffer = Buffer.alloc(8)
  buffer.writeBigUInt64LE(BigInt(value))
  return buffer
}

function f32(value: number): Buffer {
  const buffer = Buffer.alloc(4)
  buffer.writeFloatLE(value)
  return buffer
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value)
  return Buffer.concat([u64(bytes.length), bytes])
}
