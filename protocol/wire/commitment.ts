/**
 * The commitment in every request says whether other nodes may audit the answer. The answering node cannot read it, so
 * it cannot behave honestly only where an audit is possible. The client opens the commitment of a shareable request,
 * and of no other, to auditors and in fraud proofs.
 */
import { sha256 } from '@noble/hashes/sha2.js'
import { concat } from 'uint8arrays/concat'
import { equals } from 'uint8arrays/equals'
import { fromString } from 'uint8arrays/from-string'

import { OPENING_BYTES } from '../constants.ts'
import type { GenerateRequest } from './client-frame.ts'

const DOMAIN = fromString('potluck-shareable')

/** Returns an opening for one request. It must stay secret until the client shares the request. */
export function newOpening(): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(OPENING_BYTES))
}

/** SHA-256 of the domain, one byte that is 1 for a shareable request, and the opening. */
export function commitment(shareable: boolean, opening: Uint8Array): Uint8Array {
  return sha256(concat([DOMAIN, Uint8Array.of(shareable ? 1 : 0), opening]))
}

/** Returns whether the opening of a record shows that its request is shareable. */
export function isShareable(request: Pick<GenerateRequest, 'commitment'>, opening: Uint8Array | undefined): boolean {
  return opening !== undefined && equals(request.commitment, commitment(true, opening))
}
