/**
 * Serves one stream of `/potluck/generate/1.0.0`:
 *
 * 1. let the stream in: the peer's streams and patience, and how many may be silent
 * 2. read the request: bounded in time and size
 * 3. check it against the model, and that the queue has room
 * 4. tokenise it in the engine, and check it against the context
 * 5. enter the fair queue and say so: `accepted`
 * 6. wait for a slot
 * 7. generate: every delta goes out as the caller's credit and the stream allow
 * 8. `done`, with the signed receipt
 *
 * A caller that resets the stream ends all of it at once, wherever it stands. Every failure becomes
 * one error frame, if anybody is left to read it; the text of exceptions goes to the log alone.
 */
import {
  decodeClientFrame,
  encodeNodeFrame,
  PotluckError,
  type FrameStream,
  type GenerateRequest
} from '@potluck/protocol'

import type { Visit } from '../admission/door.ts'
import { DELIVERY_MS, LINGER_MS, SHORT_WRITE_TIMEOUT_MS } from '../limits.ts'
import { runAnswer, sendFrame } from './answer.ts'
import { checkContext, checkRequest } from './check.ts'
import { part, untilOver } from './over.ts'
import { toErrorFrame, isCallersFault, toPotluckError } from './outcome.ts'
import { issueReceipt } from './receipt.ts'
import type { GenerateService } from './service.ts'

interface Arrival {
  request: GenerateRequest
  /** SHA-256 of its frame. */
  digest: Uint8Array
  /** By the monotonic clock. */
  arrivedAt: number
}

/** Resolves when the stream is over. Never rejects. */
export async function serveGenerate(frames: FrameStream, peer: string, service: GenerateService): Promise<void> {
  let visit: Visit | undefined
  let served = true
  let partingMs = LINGER_MS
  try {
    visit = service.door.open(peer, () => {
      service.abuse.report(peer, 'unreadStreams')
      frames.abort(new Error('silent for longest'))
    })
    await serve(frames, peer, visit, service)
    service.metrics.finished('done')
    partingMs = DELIVERY_MS
  } catch (cause) {
    const error = toPotluckError(cause, service)
    served = !isCallersFault(error.code)
    await refuse(frames, peer, error, service)
  } finally {
    visit?.leave(served)
  }
  await part(frames, partingMs, service.stopping)
}

async function serve(frames: FrameStream, peer: string, visit: Visit, service: GenerateService): Promise<void> {
  const over = AbortSignal.any([frames.closed, service.stopping])
  const { queue, clock, limits } = service
  const arrival = await readRequest(frames, over, service)
  const { request, arrivedAt } = arrival
  visit.arrived()

  const promptTokens = await admit(request, over, service)
  const slot = Promise.withResolvers<void>()
  const place = queue.enter(peer, slot.resolve)
  if (place === undefined) throw full(service)
  try {
    service.metrics.accepted(promptTokens.length)
    const queuePosition = place.position()
    const estimatedWaitMs = Math.round(place.estimatedWaitMs())
    const accepted = { type: 'accepted', promptTokens, queuePosition, estimatedWaitMs, load: queue.load() } as const
    await sendFrame(frames, accepted, over, limits.creditTimeoutMs)
    await untilOver(slot.promise, over)
    const queueMs = clock() - arrivedAt

    const answered = await runAnswer(frames, { request, promptTokens, arrivedAt }, over, service)
    place.leave()

    const { finishReason, usage, prefillMs, decodeMs } = answered.done
    const timings = { queueMs, prefillMs, decodeMs }
    const receipt = await issueReceipt({ ...arrival, promptTokens, timings, ...answered }, service)
    const done = { type: 'done', finishReason, usage, timings, load: queue.load(), receipt } as const
    await sendFrame(frames, done, over, limits.creditTimeoutMs)
  } finally {
    place.leave()
  }
}

async function readRequest(
  frames: FrameStream,
  over: AbortSignal,
  { limits, clock }: GenerateService
): Promise<Arrival> {
  const wait = { timeoutMs: limits.requestReadTimeoutMs, timeoutCode: 'request_timeout', signal: over } as const
  const bytes = await frames.receive(wait)
  if (bytes === undefined) throw new PotluckError('stream_cut', 'the stream ended without a request')
  const frame = decodeClientFrame(bytes)
  if (frame.type !== 'request') throw new PotluckError('invalid_request', 'the first frame is not a request')
  return { request: frame.request, digest: frame.digest, arrivedAt: clock() }
}

/** The prompt's ids, of a request that may enter the queue. */
async function admit(
  request: GenerateRequest,
  over: AbortSignal,
  service: GenerateService
): Promise<readonly number[]> {
  const { engine, queue } = service
  checkRequest(request, { model: engine.model, status: engine.status, draining: service.draining() })
  // Said before the work of tokenising, which an overloaded node cannot spare.
  if (queue.full) throw full(service)
  const promptTokens = request.continuation?.promptTokens ?? (await engine.tokenize(request.input, over))
  checkContext(promptTokens.length, request.maxTokens, engine.model)
  return promptTokens
}

function full({ queue }: GenerateService): PotluckError {
  return new PotluckError('busy', 'the queue is full', { retryAfterMs: queue.retryAfterMs })
}

/** Tells the metrics, the log and the peer. */
async function refuse(
  frames: FrameStream,
  peer: string,
  error: PotluckError,
  { metrics, abuse, queue, logger }: GenerateService
): Promise<void> {
  metrics.finished(error.code)
  if (frames.closed.aborted) return
  if (isCallersFault(error.code)) abuse.report(peer, error.code)
  const frame = toErrorFrame(error, queue.load())
  if (frame === undefined) return frames.abort(error)
  try {
    const wait = { timeoutMs: SHORT_WRITE_TIMEOUT_MS, timeoutCode: 'caller_stalled' } as const
    await frames.send(encodeNodeFrame(frame), wait)
  } catch (cause) {
    logger.debug({ peer, err: cause }, 'a peer did not take its error')
    frames.abort(error)
  }
}
