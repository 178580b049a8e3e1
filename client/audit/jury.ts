/**
 * Audits by strangers, for a client without the model: who is asked, and what is believed.
 *
 * A node that cheats would like to be audited by its friends. So the auditors follow from a hash of
 * the receipt, which the node signs without knowing the client's nonce: it cannot pick them. And no
 * single one is believed: it takes two who agree.
 */
import type { PeerId } from '@libp2p/interface'
import { decodeClientFrame, PotluckError, type AuditRequest, type AuditResult } from '@potluck/protocol'

import type { Dialable, Network } from '../network/network.ts'
import { askAudit } from './ask.ts'
import { AUDITORS_DIFFER, MAX_AUDITORS, MAX_DISPUTED_SHARE } from './constants.ts'

export interface JuryContext {
  network: Pick<Network, 'connect'>
  /** The client's own secret bytes. */
  nonce: Uint8Array
  signal: AbortSignal
}

/**
 * What two auditors agree on; undefined if no two do.
 *
 * @param candidates nodes that serve the model, the accused perhaps among them
 * @throws PotluckError `invalid_request` if the request is not marked as shareable; `aborted`
 */
export async function auditByOthers(
  candidates: readonly Dialable[],
  request: AuditRequest,
  { network, nonce, signal }: JuryContext
): Promise<AuditResult | undefined> {
  const frame = decodeClientFrame(request.answer.request)
  if (frame.type !== 'request' || !frame.request.shareable) {
    throw new PotluckError('invalid_request', 'the request is not marked as shareable: nobody else may see it')
  }
  const { receipt } = request.answer
  const order = await juryOrder(candidates, { receipt, nonce, accused: request.peerId })
  const results: AuditResult[] = []
  for (const auditor of order.slice(0, MAX_AUDITORS)) {
    signal.throwIfAborted()
    let result: AuditResult
    try {
      result = await askAudit(network, auditor, request, signal)
    } catch (error) {
      // One that is busy or gone says nothing about the answer.
      if (error instanceof Error) continue
      throw error
    }
    for (const earlier of results) {
      const both = agreed(earlier, result)
      if (both !== undefined) return both
    }
    results.push(result)
  }
  return undefined
}

/** All who could audit, in the order in which they are to be asked. */
export async function juryOrder<T extends { peerId: PeerId }>(
  candidates: readonly T[],
  { receipt, nonce, accused }: { receipt: Uint8Array; nonce: Uint8Array; accused: PeerId }
): Promise<T[]> {
  const ranked = await Promise.all(
    candidates
      .filter(({ peerId }) => !peerId.equals(accused))
      .map(async (candidate) => {
        const bytes = Uint8Array.of(...nonce, ...receipt, ...candidate.peerId.toMultihash().bytes)
        return { candidate, rank: new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)) }
      })
  )
  return ranked.sort((a, b) => compareBytes(a.rank, b.rank)).map(({ candidate }) => candidate)
}

/**
 * What two auditors say together: of each token the smaller margin at the closer position, and only
 * violations that both found. Undefined where they contradict each other: one of them lies then,
 * and it is not known which.
 */
export function agreed(one: AuditResult, other: AuditResult): AuditResult | undefined {
  const names = (result: AuditResult): string => [...result.violations].sort().join()
  if (
    one.comparable !== other.comparable ||
    names(one) !== names(other) ||
    one.measured.length !== other.measured.length
  ) {
    return undefined
  }
  const pairs = one.measured.map((a, index) => [a, other.measured[index]!] as const)
  const disputed = pairs.filter(([a, b]) => a.margin !== b.margin && Math.abs(a.margin - b.margin) > AUDITORS_DIFFER)
  if (disputed.length > MAX_DISPUTED_SHARE * pairs.length) return undefined
  const measured = pairs.map(([a, b]) => ({ margin: Math.min(a.margin, b.margin), gap: Math.min(a.gap, b.gap) }))
  return { ...one, measured }
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const index = a.findIndex((byte, at) => byte !== b[at])
  return index === -1 ? 0 : a[index]! - b[index]!
}
