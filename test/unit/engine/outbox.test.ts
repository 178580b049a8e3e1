import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import type { FromChild } from '../../../node/engine/child/messages.ts'
import { OUTBOX_MS } from '../../../node/engine/constants.ts'
import type { EngineEvent } from '../../../node/engine/interface.ts'
import { Outbox } from '../../../node/engine/llama/outbox.ts'

const event = (token: number): EngineEvent => ({
  type: 'delta',
  delta: { tokens: [token], text: '' },
  fingerprints: new Uint8Array(6)
})

let sent: FromChild[]
let outbox: Outbox

beforeEach(() => {
  vi.useFakeTimers()
  sent = []
  outbox = new Outbox((message) => sent.push(message))
})

afterEach(() => {
  vi.useRealTimers()
})

it('sends the collected events in one message, in order', () => {
  outbox.push(1, event(10))
  outbox.push(2, event(20))
  outbox.push(1, event(11))
  expect(sent).toEqual([])
  outbox.flush()
  const events = [
    { id: 1, event: event(10) },
    { id: 2, event: event(20) },
    { id: 1, event: event(11) }
  ]
  expect(sent).toEqual([{ type: 'events', events }])
  outbox.flush()
  vi.advanceTimersByTime(OUTBOX_MS)
  expect(sent).toHaveLength(1)
})

it('sends the events after a delay if nothing flushes them', () => {
  outbox.push(1, event(10))
  vi.advanceTimersByTime(OUTBOX_MS - 1)
  outbox.push(1, event(11))
  expect(sent).toEqual([])
  vi.advanceTimersByTime(1)
  expect(sent).toMatchObject([{ events: [{ event: event(10) }, { event: event(11) }] }])
})
