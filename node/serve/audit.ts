/**
 * Serves one stream of `/potluck/audit/1.0.0`: a request whose caller marked it as shareable, with the
 * answer that some node signed, measured with our model. In one frame, out one frame.
 *
 * It stands in the same queue as the answers, as it needs a slot: one prefill, a fraction of an answer.
 */
import {
  auditAnswer,
  decodeAuditRequest,
  encodeAuditReply,
  openAnswerRecord,
  PotluckError,
  type AuditRequest,
  type FrameStream
} from '@potluck/protocol'

import type { Visit } from '../admission/door.ts'
import type { Engine } from '../engine/interface.ts'
import { LINGER_MS, SHORT_WRITE_TIMEOUT_MS } from '../limits.ts'
import { checkRequest } from './check.ts'
import { isCallersFault, toErrorFrame, toPotluckError } from './outcome.ts'
import { part, untilOver } from './over.ts'
import type { GenerateService } from './service.ts'

export interface AuditService extends Omit<GenerateService, 'engine' | 'metrics' | 'privateKey' | 'now' | 'clock'> {
  engine: Pick<Engine, 'model' | 'status' | 'tokenize' | 'read' | 'score'>
}

/** Resolves when the stream is over. Never rejects. */
export async function serveAudit(frames: FrameStream, peer: string, service: AuditService): Promise<void> {
  const { door, abuse, logger, stopping } = service
  let visit: Visit | undefined
  let served = true
  try {
    visit = door.open(peer, () => frames.abort(new Error('silent for longest')))
    await serve(frames, peer, visit, service)
  } catch (cause) {
    const error = toPotluckError(cause, service)
    served = !isCallersFault(error.code)
    if (!served) abuse.report(peer, error.code)
    await refuse(frames, error, service).catch((failure: unknown) => {
      logger.debug({ peer, err: failure }, 'a peer did not take its error')
      frames.abort(error)
    })
  } finally {
    visit?.leave(served)
  }
  await part(frames, LINGER_MS, stopping)
}

async function serve(frames: FrameStream, peer: string, visit: Visit, service: AuditService): Promise<void> {
  const { engine, limits, queue, stopping } = service
  const over = AbortSignal.any([frames.closed, stopping])
  const wait = { timeoutMs: limits.requestReadTimeoutMs, timeoutCode: 'request_timeout', signal: over } as const
  const bytes = await frames.receive(wait)
  if (bytes === undefined) throw new PotluckError('stream_cut', 'the stream ended without a request')
  const asked = decodeAuditRequest(bytes)
  visit.arrived()
  await check(asked, service)

  const slot = Promise.withResolvers<void>()
  const place = queue.enter(peer, slot.resolve)
  if (place === undefined) throw new PotluckError('busy', 'the queue is full', { retryAfterMs: queue.retryAfterMs })
  try {
    await untilOver(slot.promise, over)
    const result = await auditAnswer(asked.answer, asked.peerId, engine, { signal: over })
    const patience = { timeoutMs: SHORT_WRITE_TIMEOUT_MS, timeoutCode: 'caller_stalled', signal: over } as const
    await frames.send(encodeAuditReply({ type: 'result', result }), patience)
  } finally {
    place.leave()
  }
}

/** Before it waits for a slot: whoever asked this node something may forbid that a third one sees it. */
async function check({ answer, peerId }: AuditRequest, { engine, draining }: AuditService): Promise<void> {
  const { request } = await openAnswerRecord(answer, peerId)
  if (!request.shareable) throw new PotluckError('invalid_request', 'the request is not marked as shareable')
  checkRequest(request, { model: engine.model, status: engine.status, draining: draining() })
}

async function refuse(frames: FrameStream, error: PotluckError, { queue }: AuditService): Promise<void> {
  if (frames.closed.aborted) return
  const frame = toErrorFrame(error, queue.load())
  if (frame === undefined) return frames.abort(error)
  await frames.send(encodeAuditReply(frame), { timeoutMs: SHORT_WRITE_TIMEOUT_MS, timeoutCode: 'caller_stalled' })
}
