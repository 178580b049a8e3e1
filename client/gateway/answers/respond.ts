/**
 * From answers to a response, streamed or whole, for every endpoint that generates.
 *
 * The status is decided when a node accepts the request: what fails before (no node, all busy, a prompt that
 * is too long) is an error with its own status, what fails after it an event in the stream. Then the headers
 * go out, while the request may still wait in the node's queue.
 */
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'

import type { AcceptedPart, Answer, DeltaPart, FinishPart } from '../../index.ts'
import { toApiError } from '../failure.ts'
import type { ApiError } from '../errors.ts'
import { untilGone, type GatewayContext } from '../http/context.ts'
import { SseStream, type SseEvent } from '../http/sse.ts'
import type { RequestMetrics } from '../metrics.ts'
import type { Wanted } from '../served-models.ts'
import type { Services } from '../services.ts'
import { merge, type IndexedPart } from './merge.ts'
import { acceptedHeaders, finishedHeaders } from './potluck.ts'
import { Collector, type WholeAnswer } from './whole.ts'

/** What an endpoint makes of the parts of a stream. Each gives the events to send, perhaps none. */
export interface AnswerEvents {
  /** A node took the answer; once for each of them. */
  begin: (index: number, part: AcceptedPart) => SseEvent[]
  delta: (index: number, part: DeltaPart) => SseEvent[]
  finish: (index: number, part: FinishPart) => SseEvent[]
  /** All are finished. */
  end: () => SseEvent[]
  /** In place of what would have followed. */
  fail: (error: ApiError) => SseEvent[]
}

/** What an endpoint wants answered. */
export interface Work {
  /** For the metrics. */
  endpoint: string
  /** For the error if nobody serves it. */
  wanted: Wanted
  /** How many answers there will be. */
  count: number
  /** @throws PotluckError `invalid_request` for what no node would take */
  answers: (signal: AbortSignal) => Answer[]
  /** Undefined: one object at the end. */
  events: AnswerEvents | undefined
  whole: (answers: readonly WholeAnswer[]) => object
}

/** @throws ApiError as long as nothing was sent */
export async function respond(context: GatewayContext, services: Services, work: Work): Promise<Response> {
  const leave = services.turnstile.enter(work.count)
  const measured = services.metrics.request(work.endpoint)
  const signal = untilGone(context, services.stopping)
  try {
    const parts = observed(merge(work.answers(signal)), measured)
    if (work.events === undefined) {
      const response = await whole(context, parts, work)
      measured.ended('done')
      return response
    }
    const failed = await streamed(context, parts, work.events, services)
    measured.ended(failed?.code ?? 'done')
    return RESPONSE_ALREADY_SENT
  } catch (error) {
    const shown = await services.models.explain(error, work.wanted, signal)
    measured.ended(shown.code ?? 'failed')
    throw shown
  } finally {
    leave()
  }
}

async function* observed(
  parts: AsyncGenerator<IndexedPart, void, void>,
  measured: RequestMetrics
): AsyncGenerator<IndexedPart, void, void> {
  for await (const indexed of parts) {
    measured.part(indexed)
    yield indexed
  }
}

async function whole(context: GatewayContext, parts: AsyncIterable<IndexedPart>, work: Work): Promise<Response> {
  const collectors = Array.from({ length: work.count }, () => new Collector())
  for await (const { index, part } of parts) collectors[index]?.take(part)
  const answers = collectors.flatMap((collector) => collector.whole ?? [])
  return context.json(work.whole(answers), 200, finishedHeaders(answers))
}

/**
 * Returns what went wrong after the headers were sent.
 *
 * @throws what went wrong before
 */
async function streamed(
  context: GatewayContext,
  parts: AsyncGenerator<IndexedPart, void, void>,
  events: AnswerEvents,
  { limits, onFailure }: Services
): Promise<ApiError | undefined> {
  const first = await parts.next()
  if (first.done) throw new Error('an answer without parts')
  const headers = Object.fromEntries([...context.res.headers, ...Object.entries(acceptedHeaders(first.value.part))])
  const sse = new SseStream(context.env.outgoing, { headers, ...limits })
  const begun = new Set<number>()
  const take = async ({ index, part }: IndexedPart): Promise<void> => {
    if (part.type === 'delta') await sse.sendAll(events.delta(index, part))
    else if (part.type === 'finish') await sse.sendAll(events.finish(index, part))
    else if (!begun.has(index)) {
      begun.add(index)
      await sse.sendAll(events.begin(index, part))
    }
  }
  try {
    await take(first.value)
    for await (const part of parts) await take(part)
    await sse.sendAll(events.end())
    sse.end()
    return undefined
  } catch (error) {
    const shown = toApiError(error)
    if (shown.status === 500) onFailure(error)
    // Who reads nothing, or has left, is told nothing.
    if (shown.code !== 'caller_stalled' && sse.open) sse.end(events.fail(shown))
    else sse.destroy()
    return shown
  } finally {
    await parts.return()
  }
}
