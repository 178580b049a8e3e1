/** `POST /v1/embeddings`: validates the request and formats the response. */
import type { EmbedResult } from '@potluck/client'
import { z } from 'zod'

import { shownModel } from './head.ts'
import { optional, parse, refuseFields, textOnly, type RefusedField } from '../validate.ts'

/** OpenAI's limit of texts in one request. */
const MAX_INPUTS = 2048

const text = textOnly.min(1)

export interface EmbeddingsRequest {
  model: string | undefined
  input: string | string[]
  encoding_format: 'float' | 'base64' | undefined
}

const embeddingsSchema: z.ZodType<EmbeddingsRequest> = z.looseObject({
  model: optional(z.string().min(1)),
  input: z.union([text, z.array(text).min(1).max(MAX_INPUTS)]),
  encoding_format: optional(z.enum(['float', 'base64'])),
  user: optional(z.string())
})

const EMBEDDINGS_REFUSED: Readonly<Record<string, RefusedField>> = {
  dimensions: { why: 'the model decides the length of its vectors' }
}

/** @throws ApiError 400 */
export function parseEmbeddings(body: Record<string, unknown>): EmbeddingsRequest {
  refuseFields(body, EMBEDDINGS_REFUSED)
  return parse(embeddingsSchema, body)
}

interface EmbeddingList {
  object: 'list'
  model: string
  data: { object: 'embedding'; index: number; embedding: number[] | string }[]
  usage: { prompt_tokens: number; total_tokens: number }
}

export function embeddingList(
  { vectors, promptTokens, model: answering }: EmbedResult,
  { model = 'auto', encoding_format = 'float' }: EmbeddingsRequest
): EmbeddingList {
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
