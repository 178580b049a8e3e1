/**
 * Audits by other nodes, for a client without the model: which nodes to ask, and which results to believe.
 *
 * A malicious node would choose auditors that collude with it. So the client derives the order of the auditors
 * from a hash of the receipt and a secret nonce. The node signs the receipt without knowing the nonce, so
 * it cannot choose the auditors. A single auditor can lie, so the client believes a result only if two agree.
 */
import type { PeerId } from '@libp2p/interface'
import { decodeClientFrame, isShareable, PotluckError, type AuditRequest, type AuditResult } from '@potluck/protocol'
import { toHex } from 'multiformats/bytes'

import type { OtherAuditor } from './ask.ts'
import { AUDITORS_DIFFER, MAX_AUDITORS, MAX_DISPUTED_SHARE } from './constants.ts'

export interface QuorumContext {
  /** Secret bytes of this client. */
  nonce: Uint8Array
  signal: AbortSignal
}

/**
 * Returns the result that two auditors agree on; undefined if no two agree.
 *
 * @param candidates nodes that serve the model; the audited node can be among them
 * @throws PotluckError `invalid_request` if the record does not show that the request is shareable; `aborted`
 */
export async function auditByOthers(
  candidates: readonly OtherAuditor[],
  request: AuditRequest,
  { nonce, signal }: QuorumContext
): Promise<AuditResult | undefined> {
  const frame = decodeClientFrame(request.answer.request)
  if (frame.type !== 'request' || !isShareable(frame.request, request.answer.opening)) {
    throw new PotluckError('invalid_request', 'the request is not marked as shareable: no other node may see it')
  }
  const { receipt } = request.answer
  const order = await auditorOrder(candidates, { receipt, nonce, audited: request.peerId })
  const results: AuditResult[] = []
  for (const auditor of order.slice(0, MAX_AUDITORS)) {
    signal.throwIfAborted()
    // An auditor that is busy or gone says nothing about the answer.
    const result = await auditor.audit(request, signal).catch(() => undefined)
    if (result === undefined) continue
    for (const earlier of results) {
      const both = agreed(earlier, result)
      if (both !== undefined) return both
    }
    results.push(result)
  }
  return undefined
}

/** Returns all possible auditors in the order in which the client asks them. */
export async function auditorOrder<T extends { peerId: PeerId }>(
  candidates: readonly T[],
  { receipt, nonce, audited }: { receipt: Uint8Array; nonce: Uint8Array; audited: PeerId }
): Promise<T[]> {
  const ranked = await Promise.all(
    candidates
      .filter(({ peerId }) => !peerId.equals(audited))
      .map(async (candidate) => {
        const bytes = Uint8Array.of(...nonce, ...receipt, ...candidate.peerId.toMultihash().bytes)
        return { candidate, rank: toHex(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))) }
      })
  )
  return ranked.sort((a, b) => (a.rank < b.rank ? -1 : 1)).map(({ candidate }) => candidate)
}

/**
 * Combines two results. For each token, takes the smaller of the two margins and the smaller of the two gaps,
 * which favours the audited node. Returns undefined if the results contradict each other, for example because
 * only one has a violation. Then one auditor lies, and the client does not know which.
 */
export function agreed(one: AuditResult, other: AuditResult): AuditResult | undefined {
  const outcome = ({ comparable, violations, measured }: AuditResult): string =>
    [comparable, measured.length, ...[...violations].sort()].join()
  if (outcome(one) !== outcome(other)) return undefined
  const pairs = one.measured.map((a, index) => [a, other.measured[index]!] as const)
  const disputed = pairs.filter(([a, b]) => a.margin !== b.margin && Math.abs(a.margin - b.margin) > AUDITORS_DIFFER)
  if (disputed.length > MAX_DISPUTED_SHARE * pairs.length) return undefined
  const measured = pairs.map(([a, b]) => ({ margin: Math.min(a.margin, b.margin), gap: Math.min(a.gap, b.gap) }))
  return { ...one, measured }
}
