/** `POST /v1/embeddings`: validates the request and formats the response. */
import type { EmbedResult } from '@potluck/client'
import { z } from 'zod'

import { unsupported } from '../errors.ts'
import { shownModel } from './head.ts'
import { optional, parse, textOnly, withoutEmpty } from '../validate.ts'

/** OpenAI's limit of texts in one request. */
const MAX_INPUTS = 2048

const text = textOnly.min(1)

export interface EmbeddingsRequest {
  model: string | undefined
  input: string | string[]
  encoding_format: 'float' | 'base64' | undefined
  dimensions: number | undefined
}

const embeddingsSchema: z.ZodType<EmbeddingsRequest> = z.looseObject({
  model: optional(z.string().min(1)),
  input: z.union([text, z.array(text).min(1).max(MAX_INPUTS)]),
  encoding_format: optional(z.enum(['float', 'base64'])),
  dimensions: optional(z.int().min(1)),
  user: optional(z.string())
})

/** @throws ApiError 400 */
export function parseEmbeddings(body: Record<string, unknown>): EmbeddingsRequest {
  return parse(embeddingsSchema, withoutEmpty(body, 'input'))
}

interface EmbeddingList {
  object: 'list'
  model: string
  data: { object: 'embedding'; index: number; embedding: number[] | string }[]
  usage: { prompt_tokens: number; total_tokens: number }
}

/** @throws ApiError 400 if the caller asks for another length than the vectors have */
export function embeddingList(
  { vectors, promptTokens, model: answering }: EmbedResult,
  { model = 'auto', encoding_format = 'float', dimensions }: EmbeddingsRequest
): EmbeddingList {
  const length = vectors[0]?.length
  if (dimensions !== undefined && dimensions !== length) {
    throw unsupported('dimensions', `'dimensions' is not supported: the vectors of this model have ${length} numbers.`)
  }
  return {
    object: 'list',
    model: shownModel(model, answering),
    data: vectors.map((vector, index) => ({
      object: 'embedding',
      index,
      embedding: encoding_format === 'base64' ? base64(vector) : [...vector]
    })),
    usage: { prompt_tokens: promptTokens, total_tokens: promptTokens }
  }
}

/** Encodes the numbers as 32-bit floats, little-endian on every machine. */
function base64(vector: Float32Array): string {
  const bytes = Buffer.alloc(vector.length * 4)
  vector.forEach((value, index) => bytes.writeFloatLE(value, index * 4))
  return bytes.toString('base64')
}
