/**
 * Audits an answer that another node signed: measures its tokens with this node's model.
 *
 * Peers use `/potluck/audit/1.0.0`, one frame in and one frame out, and serve.ts runs the steps below. The node's owner
 * uses the control socket (`node/control`). All audits wait in the same queue as answers, because an audit needs a
 * slot. It takes one prefill, which is much faster than generating the answer.
 */
import {
  AUDIT_PROTOCOL,
  auditAnswer,
  decodeAuditRequest,
  decodeClientFrame,
  encodeAuditReply,
  isShareable,
  openAnswerRecord,
  PotluckError,
  type Audit,
  type AuditRequest
} from '@potluck/protocol'

import type { FairQueue } from '../admission/queue.ts'
import type { OwnerAuditJob } from '../control/shared.ts'
import type { Engine } from '../engine/interface.ts'
import { checkDraining, checkRequest, type ServedModel } from './check.ts'
import type { ServedProtocol } from './serve.ts'

export interface AuditDependencies {
  engine: Pick<Engine, 'model' | 'tokenize' | 'read' | 'score'>
  servedModel: () => ServedModel
}

export function auditProtocol({
  engine,
  servedModel
}: AuditDependencies): ServedProtocol<AuditRequest, AuditRequest, Audit> {
  return {
    id: AUDIT_PROTOCOL,
    decode: decodeAuditRequest,
    check: ({ answer }) => {
      checkDraining(servedModel())
      const frame = decodeClientFrame(answer.request)
      // A client commits to whether other nodes may see the request, and opens the commitment to auditors.
      if (frame.type !== 'request' || !isShareable(frame.request, answer.opening)) {
        throw new PotluckError('invalid_request', 'the request is not marked as shareable')
      }
      checkRequest(frame.request, servedModel())
    },
    // Verifies the signature, which is too much work for a node whose queue is full.
    prepare: async (asked) => {
      await openAnswerRecord(asked.answer, asked.peerId)
      return asked
    },
    run: async ({ answer, peerId }, { closed }) => await auditAnswer(answer, peerId, engine, { signal: closed }),
    encodeResult: (result) => encodeAuditReply({ type: 'result', result }),
    encodeError: encodeAuditReply
  }
}

/** Identifies the owner in the fair queue. The other keys of the queue are peer ids. */
const OWNER = 'owner'

/**
 * Audits an answer that the owner received. The request does not need to be marked as shareable.
 *
 * @throws PotluckError `busy` if the queue is full; the errors of `auditAnswer`
 */
export async function auditForOwner(
  { peerId, answer, received }: OwnerAuditJob,
  { engine, queue, stopping }: { engine: AuditDependencies['engine']; queue: FairQueue; stopping: AbortSignal }
): Promise<Audit> {
  const place = queue.join(OWNER)
  try {
    await place.slot(stopping)
    const options = { signal: stopping, ...(received === undefined ? {} : { received }) }
    return await auditAnswer(answer, peerId, engine, options)
  } finally {
    place.leave()
  }
}
