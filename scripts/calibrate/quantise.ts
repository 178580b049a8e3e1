/// <reference lib="esnext.float16" />
/**
 * Quantises weights as llama.cpp's reference code does (`ggml-quants.c`), in blocks of 32 weights.
 */
import { GgmlType } from 'node-llama-cpp'

export const BLOCK_WEIGHTS = 32

/** Bytes of a block. */
export const BLOCK_BYTES = { F16: 64, Q8_0: 34, Q5_1: 24, Q4_0: 18 } as const
export type BlockType = keyof typeof BLOCK_BYTES

export const GGML_TYPES: Readonly<Record<BlockType, GgmlType>> = {
  F16: GgmlType.F16,
  Q8_0: GgmlType.Q8_0,
  Q5_1: GgmlType.Q5_1,
  Q4_0: GgmlType.Q4_0
}

/** @param values a whole number of blocks */
export function quantise(values: Float32Array, type: BlockType): Buffer {
  const size = BLOCK_BYTES[type]
  const bytes = Buffer.alloc((values.length / BLOCK_WEIGHTS) * size)
  for (let block = 0; block < values.length / BLOCK_WEIGHTS; block++) {
    const weights = values.subarray(block * BLOCK_WEIGHTS, (block + 1) * BLOCK_WEIGHTS)
    WRITERS[type](weights, new DataView(bytes.buffer, bytes.byteOffset + block * size, size))
  }
  return bytes
}

const WRITERS: Readonly<Record<BlockType, (weights: Float32Array, block: DataView) => void>> = {
  F16: (weights, block) => weights.forEach((weight, index) => block.setFloat16(2 * index, weight, true)),
  Q8_0: (weights, block) => {
    const step = Math.max(...weights.map(Math.abs)) / 127
    block.setFloat16(0, step, true)
    weights.forEach((weight, index) => block.setInt8(2 + index, step === 0 ? 0 : Math.round(weight / step)))
  },
  Q5_1: (weights, block) => {
    const least = Math.min(...weights)
    const step = (Math.max(...weights) - least) / 31
    block.setFloat16(0, step, true)
    block.setFloat16(2, least, true)
    const codes = Array.from(weights, (weight) =>
      step === 0 ? 0 : Math.min(31, Math.trunc((weight - least) / step + 0.5))
    )
    let high = 0
    codes.forEach((code, index) => (high |= (code >> 4) << index))
    block.setUint32(4, high >>> 0, true)
    for (let index = 0; index < 16; index++) {
      block.setUint8(8 + index, (codes[index]! & 15) | ((codes[index + 16]! & 15) << 4))
    }
  },
  Q4_0: (weights, block) => {
    // The scale takes the sign of the largest weight, so that its code is -8.
    const largest = weights.reduce((most, weight) => (Math.abs(weight) > Math.abs(most) ? weight : most), 0)
    const step = largest / -8
    block.setFloat16(0, step, true)
    const codes = Array.from(weights, (weight) => (step === 0 ? 8 : Math.min(15, Math.trunc(weight / step + 8.5))))
    for (let index = 0; index < 16; index++) block.setUint8(2 + index, codes[index]! | (codes[index + 16]! << 4))
  }
}
