/** Messages of `/potluck/embed/1.0.0`: the client sends texts, the node returns vectors. */
import { create, toBinary } from '@bufbuild/protobuf'

import {
  DIGEST_BYTES,
  EMBED_LENGTH_TOLERANCE,
  MAX_EMBED_DIMENSIONS,
  MAX_EMBED_TEXTS,
  MAX_PROMPT_TOKENS
} from '../constants.ts'
import { EmbedReplySchema, EmbedRequestSchema, type Embeddings as EmbeddingsMessage } from '../messages/potluck_pb.ts'
import { FieldCheck } from './check.ts'
import { parseFailure, type ErrorFrame } from './node-frame.ts'

export interface EmbedRequest {
  /** SHA-256 of the GGUF file. */
  modelDigest: Uint8Array
  /** 1 to `MAX_EMBED_TEXTS`. */
  texts: readonly string[]
}

export interface Embeddings {
  /** One for each text. All have the same number of dimensions, and each has length 1. */
  vectors: readonly Float32Array[]
  /** Tokens of each text. */
  tokens: readonly number[]
}

export type EmbedReply = { type: 'result'; result: Embeddings } | ErrorFrame

const requestCheck = new FieldCheck('invalid_request', 'invalid request')
const replyCheck = new FieldCheck('protocol_violation', 'invalid embeddings from the node')

export function encodeEmbedRequest({ modelDigest, texts }: EmbedRequest): Uint8Array {
  return toBinary(EmbedRequestSchema, create(EmbedRequestSchema, { modelDigest, texts: [...texts] }))
}

/** @throws PotluckError `invalid_request`, which names the field */
export function decodeEmbedRequest(bytes: Uint8Array): EmbedRequest {
  const message = requestCheck.decode(EmbedRequestSchema, bytes, 'not a request for embeddings')
  const { modelDigest, texts } = message
  requestCheck.count('texts', texts, MAX_EMBED_TEXTS)
  if (texts.length === 0) requestCheck.fail('texts', 'must not be empty')
  if (texts.includes('')) requestCheck.fail('texts', 'must not contain an empty text')
  return { modelDigest: requestCheck.bytes('model_digest', modelDigest, DIGEST_BYTES), texts }
}

export function encodeEmbedReply(reply: EmbedReply): Uint8Array {
  if (reply.type === 'error') {
    return toBinary(EmbedReplySchema, create(EmbedReplySchema, { body: { case: 'error', value: reply } }))
  }
  const value = { vectors: reply.result.vectors.map(toBytes), tokens: [...reply.result.tokens] }
  return toBinary(EmbedReplySchema, create(EmbedReplySchema, { body: { case: 'result', value } }))
}

/**
 * Decodes and validates a node's reply.
 *
 * @param count number of texts in the request
 * @throws PotluckError `protocol_violation`, which names the field
 */
export function decodeEmbedReply(bytes: Uint8Array, count: number): EmbedReply {
  const message = replyCheck.decode(EmbedReplySchema, bytes, 'cannot be decoded')
  const { body } = message
  if (body.case === 'error') return parseFailure(body.value)
  if (body.case === undefined) return replyCheck.fail('frame', 'is empty')
  return { type: 'result', result: parseEmbeddings(body.value, count) }
}

function parseEmbeddings({ vectors, tokens }: EmbeddingsMessage, texts: number): Embeddings {
  if (vectors.length !== texts) replyCheck.fail('vectors', 'must have one entry for each text')
  if (tokens.length !== texts) replyCheck.fail('tokens', 'must have one entry for each text')
  const dimensions = (vectors[0]?.byteLength ?? 0) / 4
  replyCheck.number('dimensions', dimensions, 1, MAX_EMBED_DIMENSIONS)
  if (vectors.some(({ byteLength }) => byteLength !== dimensions * 4))
    replyCheck.fail('vectors', 'must have the same number of dimensions')
  return {
    vectors: vectors.map(parseVector),
    tokens: tokens.map((count) => replyCheck.number('tokens', count, 1, MAX_PROMPT_TOKENS))
  }
}

function parseVector(bytes: Uint8Array): Float32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const vector = Float32Array.from({ length: Math.floor(bytes.byteLength / 4) }, (_, index) =>
    view.getFloat32(index * 4, true)
  )
  const length = vector.reduce((sum, value) => sum + value * value, 0)
  replyCheck.number('vectors.length', length, 1 - EMBED_LENGTH_TOLERANCE, 1 + EMBED_LENGTH_TOLERANCE)
  return vector
}

function toBytes(vector: Float32Array): Uint8Array {
  const view = new DataView(new ArrayBuffer(vector.length * 4))
  vector.forEach((value, index) => view.setFloat32(index * 4, value, true))
  return new Uint8Array(view.buffer)
}
