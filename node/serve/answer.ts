/** Runs one answer: the engine's deltas go out as fast as the caller's credit and the stream allow. */
import {
  encodeNodeFrame,
  PotluckError,
  shapeOf,
  type FrameStream,
  type GenerateRequest,
  type NodeFrame
} from '@potluck/protocol'
import { pipe } from 'it-pipe'

import type { EngineEvent } from '../engine/interface.ts'
import { CreditAccount, readCredit } from './credit.ts'
import type { GenerateService } from './service.ts'

export interface AnswerJob {
  request: GenerateRequest
  promptTokens: readonly number[]
  /** When the request came, by the monotonic clock. */
  arrivedAt: number
}

export interface Answered {
  done: Extract<EngineEvent, { type: 'done' }>
  /** From position 0, those of a continuation included. */
  answerTokens: readonly number[]
}

/**
 * Resolves when the engine is done, its slot free.
 *
 * @param over the stream is over, or the node stops: the engine stops at once
 * @throws PotluckError `caller_stalled`, `invalid_request` (a hostile credit), `engine_failed`, `aborted`
 */
export async function runAnswer(
  frames: FrameStream,
  { request, promptTokens, arrivedAt }: AnswerJob,
  over: AbortSignal,
  service: Pick<GenerateService, 'engine' | 'metrics' | 'limits' | 'clock'>
): Promise<Answered> {
  const { engine, metrics, limits, clock } = service
  const answerTokens = [...(request.continuation?.answerTokens ?? [])]
  const account = new CreditAccount(request.credit, clock)
  const fault = new AbortController()
  const ended = new AbortController()
  const signal = AbortSignal.any([over, fault.signal])
  const generation = engine.generate(
    {
      promptTokens,
      answerTokens: [...answerTokens],
      sampling: request.sampling,
      maxTokens: request.maxTokens,
      stop: request.stop,
      shape: shapeOf(request),
      credit: account.lend(),
      ...(request.topLogprobs === undefined ? {} : { topLogprobs: request.topLogprobs })
    },
    signal
  )
  const lend = (): void => {
    const tokens = account.lend()
    if (tokens > 0) generation.grant(tokens)
  }
  const reading = readCredit(frames, account, lend, {
    timeoutMs: limits.creditTimeoutMs,
    signal: AbortSignal.any([signal, ended.signal])
  }).catch((error: unknown) => fault.abort(error))
  const observer = metrics.observeAnswer(arrivedAt)
  let done: Answered['done'] | undefined
  try {
    await pipe(
      generation,
      async function* (events) {
        for await (const event of events) {
          if (event.type === 'done') done = event
          if (event.type !== 'delta') continue
          observer.delta(event.delta.tokens.length)
          account.spend(event.delta.tokens.length)
          answerTokens.push(...event.delta.tokens)
          yield event
          lend()
        }
      },
      async (deltas) => {
        for await (const delta of deltas) await sendFrame(frames, delta, signal, limits.creditTimeoutMs)
      }
    )
    if (done === undefined) throw new PotluckError('engine_failed', 'the generation ended without a result')
    return { done, answerTokens }
  } catch (error) {
    // What ended the generation says more than how it ended.
    throw fault.signal.aborted ? fault.signal.reason : error
  } finally {
    ended.abort()
    await reading
  }
}

/** @throws PotluckError `caller_stalled` if the caller does not read for `timeoutMs`; `stream_cut`, `aborted` */
export async function sendFrame(
  frames: FrameStream,
  frame: NodeFrame,
  signal: AbortSignal,
  timeoutMs: number
): Promise<void> {
  await frames.send(encodeNodeFrame(frame), { signal, timeoutMs, timeoutCode: 'caller_stalled' })
}
