import { createHash } from 'node:crypto'
import { PotluckError, type Embeddings } from '@potluck/protocol'

/** Vectors with no meaning but to be the same for the same text. */
export function embeddingsOf(texts: readonly string[], contextLength: number): Embeddings {
  const promptTokens = texts.map((text) => Buffer.byteLength(text))
  if (promptTokens.some((tokens) => tokens > contextLength)) {
    throw new PotluckError('context_length_exceeded', `a text for an embedding has at most ${contextLength} tokens`)
  }
  return { vectors: texts.map(vectorOf), promptTokens: promptTokens.reduce((sum, tokens) => sum + tokens, 0) }
}

function vectorOf(text: string): Float32Array {
  const bytes = Array.from(createHash('sha256').update(text).digest().subarray(0, 8), (byte) => byte - 127.5)
  const length = Math.hypot(...bytes)
  return Float32Array.from(bytes, (value) => value / length)
}
