/**
 * Audits for the node's owner, over the control socket: what another node answered its owner, measured
 * with our model. The owner may see everything, so nothing has to be marked as shareable.
 */
import {
  auditAnswer,
  decodeAuditReply,
  decodeAuditRequest,
  encodeAuditReply,
  encodeAuditRequest,
  PotluckError,
  type Audit,
  type AuditRequest,
  type ReceivedAnswer,
  type Misstatement
} from '@potluck/protocol'

import type { AuditService } from './audit.ts'
import { untilOver } from './over.ts'

export interface OwnerAuditJob extends AuditRequest {
  received?: ReceivedAnswer
}

/** In the queue's eyes a peer of its own. */
const OWNER = 'owner'

/**
 * Takes and gives the bytes of the functions below.
 *
 * @throws PotluckError `busy` with a full queue, what the job is refused for, or the engine's own
 */
export async function auditForOwner(
  job: Uint8Array,
  { engine, queue, stopping }: Pick<AuditService, 'engine' | 'queue' | 'stopping'>
): Promise<Uint8Array> {
  const { peerId, answer, received } = decodeJob(job)
  const slot = Promise.withResolvers<void>()
  const place = queue.enter(OWNER, slot.resolve)
  if (place === undefined) throw new PotluckError('busy', 'the queue is full', { retryAfterMs: queue.retryAfterMs })
  try {
    await untilOver(slot.promise, stopping)
    const options = { signal: stopping, ...(received === undefined ? {} : { received: received }) }
    return encodeAudit(await auditAnswer(answer, peerId, engine, options))
  } finally {
    place.leave()
  }
}

interface JobMessage {
  /** Base64 of an audit request's frame. */
  request: string
  text?: string
}

export function encodeJob({ received, ...request }: OwnerAuditJob): Uint8Array {
  const message: JobMessage = { request: toBase64(encodeAuditRequest(request)), ...received }
  return Buffer.from(JSON.stringify(message))
}

function decodeJob(bytes: Uint8Array): OwnerAuditJob {
  const { request, text } = JSON.parse(Buffer.from(bytes).toString()) as JobMessage
  const decoded = decodeAuditRequest(Buffer.from(request, 'base64'))
  return text === undefined ? decoded : { ...decoded, received: { text } }
}

interface AuditMessage {
  /** Base64 of an audit reply's frame. */
  reply: string
  misstatements: readonly Misstatement[]
}

function encodeAudit({ misstatements, ...result }: Audit): Uint8Array {
  const message: AuditMessage = { reply: toBase64(encodeAuditReply({ type: 'result', result })), misstatements }
  return Buffer.from(JSON.stringify(message))
}

export function decodeAudit(bytes: Uint8Array): Audit {
  const { reply, misstatements } = JSON.parse(Buffer.from(bytes).toString()) as AuditMessage
  const decoded = decodeAuditReply(Buffer.from(reply, 'base64'))
  if (decoded.type === 'error') throw new PotluckError(decoded.code, decoded.detail)
  return { ...decoded.result, misstatements }
}

function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64')
}
