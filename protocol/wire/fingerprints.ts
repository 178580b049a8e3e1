/** Fingerprints in frames and records: 6 bytes for each position, see `protocol/sampler/fingerprint.ts`. */
import { FINGERPRINT_BYTES } from '../sampler/fingerprint.ts'
import type { FieldCheck } from './check.ts'

/** @param mostTokens the most tokens that they can be of */
export function parseFingerprints(check: FieldCheck, bytes: Uint8Array, mostTokens: number): Uint8Array {
  check.bytesUpTo('fingerprints', bytes, mostTokens * FINGERPRINT_BYTES)
  if (bytes.byteLength % FINGERPRINT_BYTES !== 0) check.fail('fingerprints', 'must have 6 bytes for each token')
  return bytes
}
