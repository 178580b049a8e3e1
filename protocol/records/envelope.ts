/** Signed envelopes in libp2p's format (RFC 0002 of its specifications). Each kind has its own domain. */
import { peerIdFromPublicKey } from '@libp2p/peer-id'
import { RecordEnvelope } from '@libp2p/peer-record'
import type { PeerId, PrivateKey, PublicKey } from '@libp2p/interface'
import { encode as encodeVarint } from 'uint8-varint'
import { concat } from 'uint8arrays/concat'
import { equals } from 'uint8arrays/equals'
import { fromString } from 'uint8arrays/from-string'

import { PotluckError } from '../errors.ts'

/** A kind of signed message. The domain is part of what is signed, so a signed card is never valid as a receipt. */
export interface EnvelopeKind {
  domain: string
  payloadType: Uint8Array
  /** Size limit of the envelope, checked before it is decoded. */
  maxBytes: number
}

/** What signs an envelope. A libp2p key is one. */
export type Signer = Pick<PrivateKey, 'publicKey' | 'sign'>

/** Signs a payload and returns the envelope's bytes. */
export async function sealEnvelope(kind: EnvelopeKind, payload: Uint8Array, key: Signer): Promise<Uint8Array> {
  return joinEnvelope(kind, { payload, publicKey: key.publicKey, signature: await signEnvelope(kind, payload, key) })
}

/**
 * Signs a payload and returns only the signature. A peer that knows the rest makes the envelope with `joinEnvelope`.
 */
export async function signEnvelope(kind: EnvelopeKind, payload: Uint8Array, key: Signer): Promise<Uint8Array> {
  const parts = [fromString(kind.domain), kind.payloadType, payload]
  return await key.sign(concat(parts.flatMap((part) => [encodeVarint(part.byteLength), part])))
}

/** Returns the bytes of an envelope with this signature, which it does not verify. */
export function joinEnvelope(
  { payloadType }: EnvelopeKind,
  parts: { payload: Uint8Array; publicKey: PublicKey; signature: Uint8Array }
): Uint8Array {
  return new RecordEnvelope({ ...parts, payloadType }).marshal()
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
  // A signature of the wrong length makes libp2p throw.
  const valid = await Promise.resolve(envelope.validate(kind.domain)).catch(() => false)
  if (!valid) throw invalid(kind, 'the signature is not valid')
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
