/** Signed envelopes, in libp2p's format (RFC 0002 of its specifications), each kind with its own domain. */
import { peerIdFromPublicKey } from '@libp2p/peer-id'
import { RecordEnvelope } from '@libp2p/peer-record'
import type { PeerId, PrivateKey } from '@libp2p/interface'

import { PotluckError } from './errors.ts'

/** What separates one kind of signed statement from another: a card's signature never passes for a receipt's. */
export interface EnvelopeKind {
  domain: string
  payloadType: Uint8Array
  /** Bound on the envelope, checked before it is decoded. */
  maxBytes: number
}

export async function seal(kind: EnvelopeKind, payload: Uint8Array, key: PrivateKey): Promise<Uint8Array> {
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
 * Verifies an envelope's signature.
 *
 * @throws PotluckError `protocol_violation` for anything but a valid envelope of that kind by an Ed25519 key
 */
export async function open(kind: EnvelopeKind, bytes: Uint8Array): Promise<{ payload: Uint8Array; signer: PeerId }> {
  if (bytes.byteLength > kind.maxBytes) throw invalid(kind, `more than ${kind.maxBytes} bytes`)
  let envelope: RecordEnvelope
  try {
    envelope = RecordEnvelope.createFromProtobuf(bytes)
  } catch (cause) {
    throw invalid(kind, 'cannot be decoded', cause)
  }
  // One statement has one form: bytes outside the signature could make many of one that is shown as a proof.
  if (!sameBytes(envelope.marshal(), bytes)) throw invalid(kind, 'not in its only form')
  // Other key types are legal in libp2p, but an RSA key of a stranger's choice makes verifying costly.
  if (envelope.publicKey.type !== 'Ed25519') throw invalid(kind, 'not signed by an Ed25519 key')
  if (!sameBytes(envelope.payloadType, kind.payloadType)) throw invalid(kind, 'of another payload type')
  try {
    await RecordEnvelope.openAndCertify(bytes, kind.domain)
  } catch (cause) {
    throw invalid(kind, 'its signature does not verify', cause)
  }
  return { payload: envelope.payload.subarray(), signer: peerIdFromPublicKey(envelope.publicKey) }
}

function invalid(kind: EnvelopeKind, reason: string, cause?: unknown): PotluckError {
  return new PotluckError('protocol_violation', `invalid ${kind.domain}: ${reason}`, { cause })
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.byteLength === b.byteLength && a.every((byte, index) => byte === b[index])
}
