/**
 * The file format of a fraud proof: a node's peer id, and the signed answers that prove its fraud. A proof contains no
 * verdict. A reader that has the model repeats the audits and decides from their results.
 */
import { create, toBinary } from '@bufbuild/protobuf'
import type { PeerId } from '@libp2p/interface'
import { equals } from 'uint8arrays/equals'

import { FRAUD_PROOF_VERSION, MAX_PROOF_ANSWERS, MAX_PROOF_BYTES } from '../constants.ts'
import { FraudProofSchema } from '../messages/potluck_pb.ts'
import { parseAnswerRecord, parsePeerId, toAnswerRecord, type AnswerRecord } from './answer-record.ts'
import { FieldCheck } from './check.ts'

export interface FraudProof {
  /** The node that signed the receipts. */
  peerId: PeerId
  answers: readonly AnswerRecord[]
}

const check = new FieldCheck('protocol_violation', 'invalid fraud proof')

export function encodeFraudProof({ peerId, answers }: FraudProof): Uint8Array {
  return toBinary(
    FraudProofSchema,
    create(FraudProofSchema, {
      version: FRAUD_PROOF_VERSION,
      peerId: peerId.toMultihash().bytes,
      answers: answers.map(toAnswerRecord)
    })
  )
}

/**
 * Decodes a fraud proof and validates its form. It does not repeat the audits: `checkProof` of the client does.
 *
 * @throws PotluckError `protocol_violation` if the file is not valid
 */
export function decodeFraudProof(bytes: Uint8Array): FraudProof {
  if (bytes.byteLength > MAX_PROOF_BYTES) check.fail('file', `must have at most ${MAX_PROOF_BYTES} bytes`)
  const message = check.decodeFile(FraudProofSchema, bytes, 'file cannot be decoded')
  if (message.version !== FRAUD_PROOF_VERSION) check.fail('version', `must be ${FRAUD_PROOF_VERSION}`)
  check.count('answers', message.answers, MAX_PROOF_ANSWERS)
  const proof = {
    peerId: parsePeerId(check, message.peerId),
    answers: message.answers.map((answer) => parseAnswerRecord(check, answer))
  }
  // Accepts only one encoding of a proof. Otherwise anyone could add meaningless bytes, and so make many different
  // files from one proof.
  if (!equals(encodeFraudProof(proof), bytes)) check.fail('file', 'is not in canonical form')
  return proof
}
