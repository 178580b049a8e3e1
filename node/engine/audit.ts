/** Audits an answer, from the frame of the request to the frame of the reply. All of this is too slow for the daemon. */
import {
  auditAnswer,
  decodeAuditRequest,
  decodeClientFrame,
  encodeAuditReply,
  PotluckError,
  type Misstatement,
  type ReceivedAnswer,
  type Scorer
} from '@potluck/protocol'

export interface AuditJob {
  /** The frame of an audit request, as it arrived. */
  frame: Uint8Array
  /** The audit is for another peer, so the request in the answer must be marked as shareable. */
  forPeer: boolean
  /** What the node sent without a signature. Only the client that made the request knows it. */
  received?: ReceivedAnswer
}

export interface AuditOutcome {
  /** The frame of the audit reply. */
  reply: Uint8Array
  misstatements: readonly Misstatement[]
}

/** @throws PotluckError `invalid_request`; the errors of `auditAnswer` */
export async function runAudit(
  { frame, forPeer, received }: AuditJob,
  scorer: Scorer,
  signal?: AbortSignal
): Promise<AuditOutcome> {
  const { answer, peerId } = decodeAuditRequest(frame)
  if (forPeer) checkShareable(answer.request)
  const { misstatements, ...result } = await auditAnswer(answer, peerId, scorer, {
    ...(received === undefined ? {} : { received }),
    ...(signal === undefined ? {} : { signal })
  })
  return { reply: encodeAuditReply({ type: 'result', result }), misstatements }
}

/** A client marks its request as shareable if other nodes may see it, to audit the answer. */
function checkShareable(request: Uint8Array): void {
  const frame = decodeClientFrame(request)
  if (frame.type !== 'request' || !frame.request.shareable) {
    throw new PotluckError('invalid_request', 'the request is not marked as shareable')
  }
}
