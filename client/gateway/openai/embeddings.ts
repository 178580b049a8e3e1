/** `POST /v1/embeddings`: request and reply. */
import type { EmbedResult } from '@potluck/client'
import { z } from 'zod'

import { shownModel } from './head.ts'
import { optional, parse, refuse, type Refusal } from './validate.ts'

/** What OpenAI allows in one request. */
const MAX_INPUTS = 2048

const text = z.string('only texts can be taken, as each model has token ids of its own').min(1)

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

const EMBEDDINGS_REFUSED: Readonly<Record<string, Refusal>> = {
  dimensions: { why: 'vectors come as the model makes them' }
}

/** @throws ApiError 400 */
export function parseEmbeddings(body: Record<string, unknown>): EmbeddingsRequest {
  refuse(body, EMBEDDINGS_REFUSED)
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

/** The numbers' own bytes, little-endian, on whatever machine. */
function base64(vector: Float32Array): string {
  const bytes = Buffer.alloc(vector.length * 4)
  vector.forEach((value, index) => bytes.writeFloatLE(value, index * 4))
  return bytes.toString('base64')
}
