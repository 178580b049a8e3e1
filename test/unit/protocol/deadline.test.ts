import { deadline } from '@potluck/protocol'
import { expect, test, vi } from 'vitest'

test('aborts after the timeout although it has no listener and the garbage collector runs', async () => {
  const { signal } = new AbortController()
  const waiting = deadline(20, signal)
  await vi.waitUntil(
    () => {
      globalThis.gc?.()
      return waiting.aborted
    },
    { timeout: 5_000, interval: 1 }
  )
  expect(waiting.reason).toMatchObject({ name: 'TimeoutError' })
  expect(signal.aborted).toBe(false)
})

test('aborts when one of its signals aborts', () => {
  const [first, second] = [new AbortController(), new AbortController()]
  const signal = deadline(60_000, first.signal, second.signal)
  second.abort('enough')
  expect([signal.aborted, signal.reason]).toEqual([true, 'enough'])
})

test('rounds a fraction of a millisecond up', () => {
  expect(deadline(59_999.5).aborted).toBe(false)
})
