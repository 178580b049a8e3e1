/**
 * A fraud proof as a file: who, and the answers that ban it. It holds no verdict: whoever has the
 * model finds that again from what the accused signed, or does not believe it.
 */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import type { PeerId } from '@libp2p/interface'

import { MAX_PROOF_ANSWERS, MAX_PROOF_BYTES } from '../constants.ts'
import { FraudProofSchema, type FraudProof as FraudProofMessage } from '../messages/potluck_pb.ts'
import { parseAnswerRecord, parsePeerId, toAnswerRecord, type AnswerRecord } from './answer-record.ts'
import { FieldCheck } from './check.ts'

export interface FraudProof {
  /** Who signed the receipts. */
  peerId: PeerId
  answers: readonly AnswerRecord[]
}

const VERSION = 1
const check = new FieldCheck('protocol_violation', 'invalid fraud proof')

export function encodeFraudProof({ peerId, answers }: FraudProof): Uint8Array {
  return toBinary(
    FraudProofSchema,
    create(FraudProofSchema, {
      version: VERSION,
      peerId: peerId.toMultihash().bytes,
      answers: answers.map(toAnswerRecord)
    })
  )
}

/**
 * Checks the form only; see `checkProof` of the client for the rest.
 *
 * @throws PotluckError `protocol_violation`
 */
export function decodeFraudProof(bytes: Uint8Array): FraudProof {
  if (bytes.byteLength > MAX_PROOF_BYTES) check.fail('file', `has more than ${MAX_PROOF_BYTES} bytes`)
  let message: FraudProofMessage
  try {
    message = fromBinary(FraudProofSchema, bytes, { readUnknownFields: false })
  } catch {
    return check.fail('file', 'cannot be decoded')
  }
  if (message.version !== VERSION) check.fail('version', `is not ${VERSION}`)
  check.count('answers', message.answers, MAX_PROOF_ANSWERS)
  const proof = {
    peerId: parsePeerId(check, message.peerId),
    answers: message.answers.map((answer) => parseAnswerRecord(check, answer))
  }
  // One proof, one file: nobody can make many out of it by bytes that mean nothing.
  const canonical = encodeFraudProof(proof)
  if (canonical.byteLength !== bytes.byteLength || canonical.some((byte, index) => byte !== bytes[index])) {
    check.fail('file', 'is not in its only form')
  }
  return proof
}
