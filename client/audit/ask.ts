/** Asks another node that serves the same model to audit an answer, over `/potluck/audit/1.0.0`. */
import type { PeerId } from '@libp2p/interface'
import {
  AUDIT_PROTOCOL,
  decodeAuditReply,
  encodeAuditRequest,
  MAX_NODE_FRAME_BYTES,
  PotluckError,
  type AuditRequest,
  type AuditResult,
  type PhaseTimeouts
} from '@potluck/protocol'

import { dialable } from '../discover/known-node.ts'
import { askOnce, refusal } from '../network/exchange.ts'
import type { Network } from '../network/network.ts'
import { SHORT_WORKLOAD, type RankedCandidate, type Selector } from '../select/index.ts'
import { AUDIT_REPLY_TIMEOUT_MS, AUDIT_REQUEST_TIMEOUT_MS } from './constants.ts'

/** A node that can audit an answer for this client. */
export interface OtherAuditor {
  peerId: PeerId
  /**
   * Returns the result of that node. The node can lie, so one result is not enough: see `agreed`.
   *
   * @throws PotluckError the node's refusal, or the code of the phase that failed
   */
  audit: (request: AuditRequest, signal: AbortSignal) => Promise<AuditResult>
}

export interface AskAuditContext {
  network: Pick<Network, 'connect'>
  selector: Pick<Selector, 'begin'>
  timeouts: Pick<PhaseTimeouts, 'dialMs'>
}

/** Makes an auditor of a candidate. Like every attempt, an audit counts as in flight, and its outcome is recorded. */
export function otherAuditor(
  candidate: RankedCandidate,
  { network, selector, timeouts }: AskAuditContext
): OtherAuditor {
  return {
    peerId: candidate.node.card.peerId,
    audit: async (request, signal) => {
      const record = selector.begin(candidate, SHORT_WORKLOAD, 'audit')
      try {
        const { reply } = await askOnce(dialable(candidate.node.card), {
          network,
          protocol: AUDIT_PROTOCOL,
          maxFrameBytes: MAX_NODE_FRAME_BYTES,
          dialMs: timeouts.dialMs,
          request: { bytes: encodeAuditRequest(request), timeoutMs: AUDIT_REQUEST_TIMEOUT_MS },
          replyMs: AUDIT_REPLY_TIMEOUT_MS + Math.min(candidate.predicted.waitMs, AUDIT_REPLY_TIMEOUT_MS),
          timeoutCode: 'first_token_timeout',
          decode: (bytes) => {
            const decoded = decodeAuditReply(bytes)
            if (decoded.type === 'error') throw refusal(decoded)
            return decoded.result
          },
          signal
        })
        record.served()
        return reply
      } catch (error) {
        if (error instanceof PotluckError) record.failed(error)
        throw error
      }
    }
  }
}
