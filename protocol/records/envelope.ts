/** Signed envelopes in libp2p's format (RFC 0002 of its specifications). Each kind has its own domain. */
import { peerIdFromPublicKey } from '@libp2p/peer-id'
import { RecordEnvelope } from '@libp2p/peer-record'
import type { PeerId, PrivateKey } from '@libp2p/interface'
import { equals } from 'uint8arrays/equals'

import { PotluckError } from '../errors.ts'

/** A kind of signed message. The domain is part of what is signed, so a signed card is never valid as a receipt. */
export interface EnvelopeKind {
  domain: string
  payloadType: Uint8Array
  /** Size limit of the envelope, checked before it is decoded. */
  maxBytes: number
}

/** Signs a payload and returns the envelope's bytes. */
export async function sealEnvelope(kind: EnvelopeKind, payload: Uint8Array, key: PrivateKey): Promise<Uint8Array> {
  const record = {
    domain: kind.domain,
    codec: kind.payloadType,
    marshal: () => payload,
    equals: () => false
  }
  const envelope = await RecordEnvelope.seal(record, key)
  return envelope.marshal()
}

/**
 * Verifies an envelope and returns its payload and signer.
 *
 * @throws PotluckError `protocol_violation` unless the bytes are a valid envelope of this kind, signed by an Ed25519
 *   key
 */
export async function openEnvelope(
  kind: EnvelopeKind,
  bytes: Uint8Array
): Promise<{ payload: Uint8Array; signer: PeerId }> {
  if (bytes.byteLength > kind.maxBytes) throw invalid(kind, `more than ${kind.maxBytes} bytes`)
  let envelope: RecordEnvelope
  try {
    envelope = RecordEnvelope.createFromProtobuf(bytes)
  } catch (cause) {
    throw invalid(kind, 'cannot be decoded', cause)
  }
  // Accepts only one encoding of an envelope. Otherwise anyone could add unsigned bytes to a receipt, and so make many
  // different files from it.
  if (!equals(envelope.marshal(), bytes)) throw invalid(kind, 'not in canonical form')
  // libp2p also allows other types of keys, but an attacker could choose an RSA key that makes verification expensive.
  if (envelope.publicKey.type !== 'Ed25519') throw invalid(kind, 'not signed by an Ed25519 key')
  if (!equals(envelope.payloadType, kind.payloadType)) throw invalid(kind, 'wrong payload type')
  try {
    await RecordEnvelope.openAndCertify(bytes, kind.domain)
  } catch (cause) {
    throw invalid(kind, 'the signature is not valid', cause)
  }
  return { payload: envelope.payload.subarray(), signer: peerIdFromPublicKey(envelope.publicKey) }
}

/** Whether the bytes claim to be an envelope of this kind. Does not verify them. */
export function isEnvelopeOf(kind: EnvelopeKind, bytes: Uint8Array): boolean {
  if (bytes.byteLength > kind.maxBytes) return false
  try {
    return equals(RecordEnvelope.createFromProtobuf(bytes).payloadType, kind.payloadType)
  } catch {
    return false
  }
}

function invalid(kind: EnvelopeKind, reason: string, cause?: unknown): PotluckError {
  return new PotluckError('protocol_violation', `invalid ${kind.domain}: ${reason}`, { cause })
}
