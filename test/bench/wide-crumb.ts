/**
 * A model that answers exactly as crumb and takes as long as a large model: crumb's weights in a larger model whose
 * other weights are zero. Benchmarks of drafts need it. A model with random weights chooses its tokens at random, so
 * nothing predicts them.
 */
import { readFile } from 'node:fs/promises'
import { readGgufFileInfo } from 'node-llama-cpp'
import { crumb } from '../../node/models/crumb.ts'
import { Q8_0_BLOCK, writeGguf, type GgufTensor } from './gguf.ts'
import { cached, describe, tokenizerOf, type ModelShape } from './model-shape.ts'

const CRUMB = { width: 256, layers: 4, heads: 4, keyHeads: 2, feedForward: 640, epsilon: 1e-5 }
/** In both models. */
const HEAD = 64

/** Returns the path of the model. The first call writes the file, which takes a few seconds. */
export async function wideCrumb(shape: ModelShape): Promise<string> {
  const { path: source, sha256 } = crumb.Q8_0
  const { metadata, fullTensorInfo } = await readGgufFileInfo(source, { sourceType: 'filesystem' })
  const vocabulary = metadata.tokenizer.ggml.tokens.length
  const bytes = await readFile(source)
  const tensors = new Map(fullTensorInfo!.map(({ name, fileOffset }) => [name, bytes.subarray(Number(fileOffset))]))
  // The mean of the squares is smaller by the share of the zeros, and so must be what is added to it.
  const epsilon = (CRUMB.epsilon * CRUMB.width) / shape.width
  const described = describe({ ...shape, vocabulary }, { name: 'wide crumb', fileType: 7, epsilon })
  return cached(`wide-crumb-${shape.width}x${shape.layers}-${sha256.slice(0, 8)}-Q8_0.gguf`, async (path) =>
    writeGguf(
      path,
      { ...described, ...(await tokenizerOf(source, vocabulary)) },
      widened(tensors, { ...shape, vocabulary })
    )
  )
}

/** Where a row or a column of crumb lies in the larger model. */
type Place = (index: number) => number

const same: Place = (index) => index

function widened(source: ReadonlyMap<string, Uint8Array>, shape: ModelShape): GgufTensor[] {
  const { width, layers, heads, keyHeads, feedForward, vocabulary } = shape
  const keyWidth = (width / heads) * keyHeads
  // Crumb's key and value heads are the first ones. Its query heads are the first ones that share these.
  const group = heads / keyHeads
  const own = CRUMB.heads / CRUMB.keyHeads
  const query: Place = (index) => {
    const head = Math.floor(index / HEAD)
    return (Math.floor(head / own) * group + (head % own)) * HEAD + (index % HEAD)
  }
  interface Matrix {
    from: [columns: number, rows: number]
    to: [columns: number, rows: number]
    column?: Place
    row?: Place
  }
  const matrix = (name: string, { from, to, column = same, row = same }: Matrix): GgufTensor => ({
    name,
    type: 'Q8_0',
    dimensions: to,
    bytes: () => {
      const { weights, bytes } = Q8_0_BLOCK
      const rowBytes = (columns: number): number => (columns / weights) * bytes
      const result = new Uint8Array(to[1] * rowBytes(to[0]))
      const original = source.get(name)
      if (original === undefined) return result
      for (let index = 0; index < from[1]; index++) {
        for (let block = 0; block < from[0] / weights; block++) {
          const start = index * rowBytes(from[0]) + block * bytes
          const target = row(index) * rowBytes(to[0]) + rowBytes(column(block * weights))
          result.set(original.subarray(start, start + bytes), target)
        }
      }
      return result
    }
  })
  const norm = (name: string): GgufTensor => ({
    name,
    type: 'F32',
    dimensions: [width],
    bytes: () => {
      const result = new Float32Array(width)
      const original = source.get(name)
      const view = original && new DataView(original.buffer, original.byteOffset)
      for (let index = 0; view !== undefined && index < CRUMB.width; index++) {
        // Because of the zeros, the norm of the larger model gives larger values.
        result[index] = view.getFloat32(4 * index, true) * Math.sqrt(CRUMB.width / width)
      }
      return new Uint8Array(result.buffer)
    }
  })
  const { width: w, feedForward: f } = CRUMB
  const keys = CRUMB.keyHeads * HEAD
  const layer = (index: number): GgufTensor[] => [
    norm(`blk.${index}.attn_norm.weight`),
    matrix(`blk.${index}.attn_q.weight`, { from: [w, w], to: [width, width], row: query }),
    matrix(`blk.${index}.attn_k.weight`, { from: [w, keys], to: [width, keyWidth] }),
    matrix(`blk.${index}.attn_v.weight`, { from: [w, keys], to: [width, keyWidth] }),
    matrix(`blk.${index}.attn_output.weight`, { from: [w, w], to: [width, width], column: query }),
    norm(`blk.${index}.ffn_norm.weight`),
    matrix(`blk.${index}.ffn_gate.weight`, { from: [w, f], to: [width, feedForward] }),
    matrix(`blk.${index}.ffn_up.weight`, { from: [w, f], to: [width, feedForward] }),
    matrix(`blk.${index}.ffn_down.weight`, { from: [f, w], to: [feedForward, width] })
  ]
  return [
    matrix('token_embd.weight', { from: [w, vocabulary], to: [width, vocabulary] }),
    ...Array.from({ length: layers }, (_, index) => layer(index)).flat(),
    norm('output_norm.weight')
  ]
}
