/** Runs one answer: sends the engine's deltas as fast as the caller's credit and the stream allow. */
import { encodeNodeFrame, PotluckError, shapeOf, type GenerateRequest } from '@potluck/protocol'

import { pipe } from 'it-pipe'

import type { Engine, EngineEvent } from '../engine/interface.ts'
import type { NodeLimits } from '../limits/limits.ts'
import type { Metrics } from '../metrics/metrics.ts'
import { CreditAccount, readCredit } from './credit.ts'
import type { ServedStream } from './serve.ts'

export interface AnswerDependencies {
  engine: Pick<Engine, 'generate'>
  metrics: Pick<Metrics, 'observeAnswer'>
  limits: Pick<NodeLimits, 'creditTimeoutMs'>
  /** Milliseconds, monotonic. */
  clock: () => number
}

export interface GeneratedAnswer {
  done: Extract<EngineEvent, { type: 'done' }>
  /** All tokens from position 0, including those that a continuation began with. */
  answerTokens: readonly number[]
}

/**
 * Resolves when the engine is done and its slot is free.
 *
 * @throws PotluckError `caller_stalled`, `invalid_request` (a credit frame that breaks the protocol), `engine_failed`,
 *   `aborted`
 */
export async function runAnswer(
  { request, promptTokens }: { request: GenerateRequest; promptTokens: readonly number[] },
  { frames, closed, arrivedAt }: ServedStream,
  { engine, metrics, limits, clock }: AnswerDependencies
): Promise<GeneratedAnswer> {
  const answerTokens = [...(request.continuation?.answerTokens ?? [])]
  const account = new CreditAccount(request.credit, clock)
  /** Fires with the error when the caller gives no credit, or credit that breaks the protocol. */
  const creditFailure = new AbortController()
  const signal = AbortSignal.any([closed, creditFailure.signal])
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
  const answered = new AbortController()
  const readingCredit = readCredit(frames, account, lend, {
    timeoutMs: limits.creditTimeoutMs,
    signal: AbortSignal.any([signal, answered.signal])
  }).catch((error: unknown) => creditFailure.abort(error))

  const observer = metrics.observeAnswer(arrivedAt)
  const write = { timeoutMs: limits.creditTimeoutMs, timeoutCode: 'caller_stalled', signal } as const
  let done: GeneratedAnswer['done'] | undefined
  try {
    await pipe(
      generation,
      async function* (events) {
        for await (const event of events) {
          if (event.type === 'done') done = event
          if (event.type !== 'delta') continue
          const { tokens } = event.delta
          observer.delta(tokens.length)
          account.spend(tokens.length)
          answerTokens.push(...tokens)
          yield encodeNodeFrame(event)
          // The stream took the delta, so the engine may work further ahead.
          lend()
        }
      },
      async (deltas) => {
        for await (const delta of deltas) await frames.send(delta, write)
      }
    )
    if (done === undefined) throw new PotluckError('engine_failed', 'the generation ended without a result')
    return { done, answerTokens }
  } catch (error) {
    // The reason for the abort says more than the error that the abort caused.
    throw creditFailure.signal.aborted ? creditFailure.signal.reason : error
  } finally {
    answered.abort()
    await readingCredit
  }
}
