/** Finds the model of an audit request without decoding the rest, which can be megabytes. */
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire'

import { DIGEST_BYTES } from '../constants.ts'
import { PotluckError } from '../errors.ts'

/** The numbers of the fields from an `AuditRequest` to its digest: answer, request, request, model_digest. */
const PATH = [2, 1, 1, 2]
/** Fields that it reads in each message. Encoders write fields in the order of their numbers. */
const MOST_FIELDS = 8

/**
 * Returns the digest of the model in an audit request. The frame can still be invalid elsewhere.
 *
 * @throws PotluckError `invalid_request` if the frame contains no digest
 */
export function auditedModel(frame: Uint8Array): Uint8Array {
  try {
    const digest = PATH.reduce(fieldOf, frame)
    if (digest.byteLength === DIGEST_BYTES) return digest
  } catch {
    // The reader throws for bytes that are not a message. The error below is for them too.
  }
  throw new PotluckError('invalid_request', 'audit request: model_digest is missing')
}

function fieldOf(message: Uint8Array, wanted: number): Uint8Array {
  const reader = new BinaryReader(message)
  for (let read = 0; read < MOST_FIELDS && reader.pos < reader.len; read++) {
    const [number, type] = reader.tag()
    if (number === wanted && type === WireType.LengthDelimited) return reader.bytes()
    reader.skip(type, number)
  }
  throw new Error(`no field ${wanted}`)
}
