/** Texts to a node, vectors back. */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'

import { MAX_EMBED_DIMENSIONS, MAX_EMBED_TEXTS, MAX_PROMPT_TOKENS } from '../constants.ts'
import { PotluckError } from '../errors.ts'
import {
  EmbedReplySchema,
  EmbedRequestSchema,
  type Embeddings as EmbeddingsMessage,
  type EmbedReply as ReplyMessage,
  type EmbedRequest as RequestMessage
} from '../messages/potluck_pb.ts'
import { FieldCheck } from './check.ts'
import { parseFailure, type Refusal } from './node-frame.ts'

export interface EmbedRequest {
  /** SHA-256 of the GGUF file. */
  modelDigest: Uint8Array
  /** 1 to `MAX_EMBED_TEXTS`. */
  texts: readonly string[]
}

export interface Embeddings {
  /** One a text, all of the same dimensions, each of length 1. */
  vectors: readonly Float32Array[]
  /** Of all texts. */
  promptTokens: number
}

export type EmbedReply = { type: 'result'; result: Embeddings } | Refusal

const request = new FieldCheck('invalid_request', 'invalid request')
const reply = new FieldCheck('protocol_violation', 'invalid embeddings from the node')
/** How far rounding may take a vector's squared length from 1. */
const LENGTH_TOLERANCE = 1e-3

export function encodeEmbedRequest({ modelDigest, texts }: EmbedRequest): Uint8Array {
  return toBinary(EmbedRequestSchema, create(EmbedRequestSchema, { modelDigest, texts: [...texts] }))
}

/** @throws PotluckError `invalid_request`, which names the field */
export function decodeEmbedRequest(bytes: Uint8Array): EmbedRequest {
  let message: RequestMessage
  try {
    message = fromBinary(EmbedRequestSchema, bytes, { readUnknownFields: false })
  } catch (cause) {
    throw new PotluckError('invalid_request', 'invalid request: not a request for embeddings', { cause })
  }
  const { modelDigest, texts } = message
  request.count('texts', texts, MAX_EMBED_TEXTS)
  if (texts.length === 0) request.fail('texts', 'must not be empty')
  if (texts.includes('')) request.fail('texts', 'must not hold an empty one')
  return { modelDigest: request.bytes('model_digest', modelDigest, 32), texts }
}

export function encodeEmbedReply(frame: EmbedReply): Uint8Array {
  const body =
    frame.type === 'error'
      ? ({ case: 'error', value: frame } as const)
      : ({
          case: 'result',
          value: { vectors: frame.result.vectors.map(toBytes), promptTokens: frame.result.promptTokens }
        } as const)
  return toBinary(EmbedReplySchema, create(EmbedReplySchema, { body }))
}

/**
 * @param count how many texts were sent
 * @throws PotluckError `protocol_violation`, which names the field
 */
export function decodeEmbedReply(bytes: Uint8Array, count: number): EmbedReply {
  let message: ReplyMessage
  try {
    message = fromBinary(EmbedReplySchema, bytes, { readUnknownFields: false })
  } catch (cause) {
    throw new PotluckError('protocol_violation', 'invalid embeddings from the node: cannot be decoded', { cause })
  }
  const { body } = message
  if (body.case === 'error') return parseFailure(body.value)
  if (body.case === undefined) return reply.fail('frame', 'is empty')
  return { type: 'result', result: parseEmbeddings(body.value, count) }
}

function parseEmbeddings({ vectors, promptTokens }: EmbeddingsMessage, count: number): Embeddings {
  if (vectors.length !== count) reply.fail('vectors', 'must be one for each text')
  const dimensions = (vectors[0]?.byteLength ?? 0) / 4
  reply.number('dimensions', dimensions, 1, MAX_EMBED_DIMENSIONS)
  if (vectors.some(({ byteLength }) => byteLength !== dimensions * 4)) reply.fail('vectors', 'differ in dimensions')
  return {
    vectors: vectors.map(parseVector),
    promptTokens: reply.number('prompt_tokens', promptTokens, 1, MAX_PROMPT_TOKENS * MAX_EMBED_TEXTS)
  }
}

function parseVector(bytes: Uint8Array): Float32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const vector = Float32Array.from({ length: Math.floor(bytes.byteLength / 4) }, (_, index) =>
    view.getFloat32(index * 4, true)
  )
  const length = vector.reduce((sum, value) => sum + value * value, 0)
  reply.number('vectors.length', length, 1 - LENGTH_TOLERANCE, 1 + LENGTH_TOLERANCE)
  return vector
}

function toBytes(vector: Float32Array): Uint8Array {
  const view = new DataView(new ArrayBuffer(vector.length * 4))
  vector.forEach((value, index) => view.setFloat32(index * 4, value, true))
  return new Uint8Array(view.buffer)
}
