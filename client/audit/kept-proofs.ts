/** The fraud proofs that this client can write, from the audited answers that its reputation keeps. */
import { decodeFraudProof, encodeFraudProof, MAX_PROOF_BYTES } from '@potluck/protocol'

import type { Reputation } from '../reputation/index.ts'

/**
 * The audited answers that led this client to ban a node, for `potluck audit` and `checkProof`. The proof reveals their
 * prompts. These are probes, and requests that the user marked as shareable.
 */
export interface Proof {
  peerId: string
  /** `sha256:…` of the model that the node claimed to serve. */
  digest: string
  answers: number
  /** See `encodeFraudProof`. */
  bytes: Uint8Array
}

/** Returns a proof for every peer that this client's audits banned, if some audited answers are shareable. */
export function keptProofs(reputation: Pick<Reputation, 'peers' | 'kept'>): Proof[] {
  return [...reputation.peers()].flatMap(({ peer, digest, state }) => {
    if (state.integrity.banned?.by !== 'audit') return []
    return proofOf(peer, digest, reputation.kept(peer, digest)) ?? []
  })
}

/** Returns a proof with the newest answers that fit into one file. */
function proofOf(peer: string, digest: string, kept: readonly Uint8Array[]): Proof | undefined {
  const chosen: Uint8Array[] = []
  let left = MAX_PROOF_BYTES
  for (const one of kept.toReversed()) {
    left -= one.byteLength
    if (left < 0) break
    chosen.unshift(one)
  }
  const proofs = chosen.map(decodeFraudProof)
  const [first] = proofs
  if (first === undefined) return undefined
  const answers = proofs.flatMap((proof) => proof.answers)
  return { peerId: peer, digest, answers: answers.length, bytes: encodeFraudProof({ peerId: first.peerId, answers }) }
}
