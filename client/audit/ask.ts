/** Asks another node that serves the same model to audit an answer, over `/potluck/audit/1.0.0`. */
import {
  AUDIT_PROTOCOL,
  decodeAuditReply,
  encodeAuditRequest,
  FrameStream,
  MAX_NODE_FRAME_BYTES,
  PotluckError,
  type AuditRequest,
  type AuditResult
} from '@potluck/protocol'

import type { Dialable, Network } from '../network/network.ts'
import { AUDIT_REPLY_TIMEOUT_MS, AUDIT_REQUEST_TIMEOUT_MS } from './constants.ts'

/**
 * Returns the result of that node. The node can lie, so one result is not enough; see `agreed`.
 *
 * @throws PotluckError with the code of the node's refusal, `stream_cut`, `protocol_violation` or the code
 *   of a timeout; an error of libp2p if the node cannot be reached
 */
export async function askAudit(
  network: Pick<Network, 'connect'>,
  auditor: Dialable,
  request: AuditRequest,
  signal: AbortSignal
): Promise<AuditResult> {
  const connection = await network.connect(auditor, signal)
  const stream = await connection.newStream(AUDIT_PROTOCOL, { signal, runOnLimitedConnection: true })
  const frames = new FrameStream(stream, { maxFrameBytes: MAX_NODE_FRAME_BYTES })
  try {
    await frames.sendRequest(encodeAuditRequest(request), {
      timeoutMs: AUDIT_REQUEST_TIMEOUT_MS,
      timeoutCode: 'request_timeout',
      signal
    })
    const bytes = await frames.receive({
      timeoutMs: AUDIT_REPLY_TIMEOUT_MS,
      timeoutCode: 'first_token_timeout',
      signal
    })
    if (bytes === undefined) throw new PotluckError('stream_cut', 'the auditor sent nothing')
    const reply = decodeAuditReply(bytes)
    if (reply.type === 'error') {
      const { code, detail, retryAfterMs } = reply
      throw new PotluckError(code, detail === '' ? code : detail, retryAfterMs === undefined ? {} : { retryAfterMs })
    }
    await frames.close({ signal })
    return reply.result
  } catch (error) {
    frames.abort(new Error('the audit ended'))
    throw error
  }
}
