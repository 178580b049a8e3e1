/**
 * Serves one stream of `/potluck/embed/1.0.0`: texts in one frame, their vectors out in one. It stands in
 * the same queue as the answers, for the processor is the same.
 */
import {
  decodeEmbedRequest,
  encodeEmbedReply,
  PotluckError,
  type EmbedRequest,
  type FrameStream
} from '@potluck/protocol'

import type { Visit } from '../admission/door.ts'
import type { Engine } from '../engine/interface.ts'
import { DELIVERY_MS, LINGER_MS, SHORT_WRITE_TIMEOUT_MS } from '../limits.ts'
import { checkModel } from './check.ts'
import { isCallersFault, toErrorFrame, toPotluckError } from './outcome.ts'
import { part, untilOver } from './over.ts'
import type { GenerateService } from './service.ts'

export interface EmbedService extends Omit<GenerateService, 'engine' | 'metrics' | 'privateKey' | 'now' | 'clock'> {
  engine: Pick<Engine, 'model' | 'status' | 'embed'>
}

/** Resolves when the stream is over. Never rejects. */
export async function serveEmbed(frames: FrameStream, peer: string, service: EmbedService): Promise<void> {
  const { door, abuse, logger, stopping } = service
  let visit: Visit | undefined
  let served = true
  let partingMs = LINGER_MS
  try {
    visit = door.open(peer, () => frames.abort(new Error('silent for longest')))
    await serve(frames, peer, visit, service)
    partingMs = DELIVERY_MS
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
  await part(frames, partingMs, stopping)
}

async function serve(frames: FrameStream, peer: string, visit: Visit, service: EmbedService): Promise<void> {
  const { engine, limits, queue, stopping } = service
  const over = AbortSignal.any([frames.closed, stopping])
  const wait = { timeoutMs: limits.requestReadTimeoutMs, timeoutCode: 'request_timeout', signal: over } as const
  const bytes = await frames.receive(wait)
  if (bytes === undefined) throw new PotluckError('stream_cut', 'the stream ended without a request')
  const request = decodeEmbedRequest(bytes)
  visit.arrived()
  check(request, service)

  const slot = Promise.withResolvers<void>()
  const place = queue.enter(peer, slot.resolve)
  if (place === undefined) throw new PotluckError('busy', 'the queue is full', { retryAfterMs: queue.retryAfterMs })
  try {
    await untilOver(slot.promise, over)
    const result = await engine.embed(request.texts, over)
    const patience = { timeoutMs: limits.creditTimeoutMs, timeoutCode: 'caller_stalled', signal: over } as const
    await frames.send(encodeEmbedReply({ type: 'result', result }), patience)
  } finally {
    place.leave()
  }
}

function check({ modelDigest }: EmbedRequest, { engine, draining }: EmbedService): void {
  const { model, status } = engine
  checkModel(modelDigest, { model, status, draining: draining() })
  if (!model.features.includes('embeddings')) throw new PotluckError('unsupported', 'the model lacks embeddings')
}

async function refuse(frames: FrameStream, error: PotluckError, { queue }: EmbedService): Promise<void> {
  if (frames.closed.aborted) return
  const frame = toErrorFrame(error, queue.load())
  if (frame === undefined) return frames.abort(error)
  await frames.send(encodeEmbedReply(frame), { timeoutMs: SHORT_WRITE_TIMEOUT_MS, timeoutCode: 'caller_stalled' })
}
