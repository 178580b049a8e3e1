import { expect, test } from 'vitest'

import { Lifetime } from '../../../node/lifetime.ts'

test('cleanups run once, in reverse order, after the work in progress', async () => {
  const lifetime = new Lifetime()
  const order: string[] = []
  const work = Promise.withResolvers<void>()
  lifetime.onStop(async () => void order.push('first'))
  lifetime.onStop(async () => void order.push('second'))
  const tracked = lifetime.track(work.promise.then(() => void order.push('work')))
  lifetime.stopping.addEventListener('abort', () => work.resolve())
  await Promise.all([lifetime.stop(), lifetime.stop()])
  await tracked
  expect(order).toEqual(['work', 'second', 'first'])
})

test('idle waits for all work, including work that starts meanwhile, but not longer than the timeout', async () => {
  const lifetime = new Lifetime()
  const [one, two] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  let idle = false
  const waiting = lifetime.idle(60_000).then(() => (idle = true))
  await waiting
  expect(idle).toBe(true)

  const first = lifetime.track(one.promise)
  const done = lifetime.idle(60_000)
  const second = lifetime.track(two.promise)
  one.resolve()
  await first
  two.resolve()
  await Promise.all([second, done])

  const stuck = lifetime.track(
    new Promise<void>((resolve) => lifetime.stopping.addEventListener('abort', () => resolve()))
  )
  await lifetime.idle(1)
  await lifetime.stop()
  await stuck
})
