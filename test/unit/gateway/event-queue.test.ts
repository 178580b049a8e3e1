import { expect, test } from 'vitest'

import { EventQueue, MOST_WAITING } from '../../../client/gateway/potluck/event-queue.ts'
import type { PotluckEvent } from '../../../client/gateway/potluck/types.ts'

const head = { request: 'chatcmpl-1', answer: 'chatcmpl-1', at: 1 }
const tokens: PotluckEvent = { ...head, type: 'tokens', peer: 'node', count: 1 }
const failed: PotluckEvent = { ...head, type: 'failed', code: 'aborted' }

async function read(queue: EventQueue): Promise<PotluckEvent[][]> {
  const stop = new AbortController()
  const batches: PotluckEvent[][] = []
  for await (const batch of queue.batches(stop.signal)) {
    batches.push(batch)
    stop.abort()
  }
  return batches
}

test('a slow reader loses the counts of tokens first', async () => {
  const queue = new EventQueue()
  for (let index = 0; index < 10 * MOST_WAITING; index++) queue.push(tokens)
  for (let index = 0; index < 10; index++) queue.push(failed)
  const [batch = []] = await read(queue)
  expect(batch).toHaveLength(MOST_WAITING)
  expect(batch.filter(({ type }) => type === 'failed')).toHaveLength(10)
})

test('a reader that would miss another event gets what waits, and its stream ends', async () => {
  const queue = new EventQueue()
  for (let index = 0; index < 2 * MOST_WAITING; index++) queue.push(failed)
  const batches: PotluckEvent[][] = []
  for await (const batch of queue.batches(new AbortController().signal)) batches.push(batch)
  expect(batches.map(({ length }) => length)).toEqual([MOST_WAITING])
})

test('the signal ends a queue without events', async () => {
  const stop = new AbortController()
  const ended = (async () => {
    for await (const _ of new EventQueue().batches(stop.signal));
    return 'ended'
  })()
  stop.abort()
  expect(await ended).toBe('ended')
})
