/** Which models are in memory, with models that the test loads by hand. */
import { expect, test, vi } from 'vitest'

import { MEMORY_RETRY_MS, SHORTEST_STAY_MS } from '../../../node/engine/constants.ts'
import { LoadedModels, type Loadable, type LoadedModelsOptions } from '../../../node/engine/on-demand/loaded-models.ts'

const GB = 1e9

class Model implements Loadable {
  readonly name: string
  readonly needs: { ramBytes: number; vramBytes: number }
  readonly events: string[]
  failing: Error | undefined

  constructor(name: string, events: string[], ramBytes = GB) {
    this.name = name
    this.events = events
    this.needs = { ramBytes, vramBytes: 0 }
  }

  async load(): Promise<void> {
    if (this.failing !== undefined) throw this.failing
    this.events.push(`+${this.name}`)
  }

  async unload(): Promise<void> {
    this.events.push(`-${this.name}`)
  }
}

function setUp(budgetGb: number, options: Partial<LoadedModelsOptions> = {}) {
  const events: string[] = []
  const clock = { ms: 0 }
  const models = new LoadedModels({
    budget: { ramBytes: budgetGb * GB, vramBytes: 0 },
    free: () => ({ ramBytes: Infinity, vramBytes: Infinity }),
    now: () => clock.ms,
    ...options
  })
  const model = (name: string, ramGb = 1): Model => new Model(name, events, ramGb * GB)
  return { models, events, clock, model }
}

/** Whether the promise is settled after all that can happen without the test has happened. */
async function isPending(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol('pending')
  const turn = new Promise((resolve) => setImmediate(() => resolve(pending)))
  return (await Promise.race([promise.catch(() => undefined), turn])) === pending
}

test('a model is loaded once, for all requests that need it', async () => {
  const { models, events, model } = setUp(1)
  const a = model('a')
  await Promise.all([models.use(a), models.use(a)])
  await models.use(a)
  expect(events).toEqual(['+a'])
})

test('models that fit together stay together', async () => {
  const { models, events, model } = setUp(2)
  const [a, b] = [model('a'), model('b')]
  for (const each of [a, b, a, b]) (await models.use(each))()
  expect(events).toEqual(['+a', '+b'])
})

test('the idle model that was used longest ago leaves first, and only if its memory is needed', async () => {
  const { models, events, clock, model } = setUp(3)
  const all = ['a', 'b', 'c', 'd'].map((name) => model(name))
  for (const each of [...all.slice(0, 3), all[0]!, all[3]!]) {
    clock.ms++
    ;(await models.use(each))()
  }
  expect(events).toEqual(['+a', '+b', '+c', '-b', '+d'])
})

test('a model leaves before the next one is loaded, never while a request uses it', async () => {
  const { models, events, model } = setUp(1)
  const [a, b] = [model('a'), model('b')]
  const release = await models.use(a)
  const waiting = models.use(b)
  expect(await isPending(waiting)).toBe(true)
  expect(events).toEqual(['+a'])
  release()
  await waiting
  expect(events).toEqual(['+a', '-a', '+b'])
})

test('requests for a loaded model overtake a waiting one for a while, and then wait behind it', async () => {
  const { models, events, clock, model } = setUp(1)
  const [a, b] = [model('a'), model('b')]
  const first = await models.use(a)
  const waiting = models.use(b)
  clock.ms = SHORTEST_STAY_MS - 1
  const overtakes = await models.use(a)
  expect(models.isInTheWay(a)).toBe(false)
  clock.ms = SHORTEST_STAY_MS
  const late = models.use(a)
  expect(await isPending(late)).toBe(true)
  expect(models.isInTheWay(a)).toBe(true)
  first()
  overtakes()
  ;(await waiting)()
  await late
  expect(events).toEqual(['+a', '-a', '+b', '-b', '+a'])
})

test('a request that gives up lets the others pass', async () => {
  const { models, events, clock, model } = setUp(1)
  const [a, b] = [model('a'), model('b')]
  await models.use(a)
  const gaveUp = new AbortController()
  const waiting = models.use(b, gaveUp.signal)
  clock.ms = SHORTEST_STAY_MS
  const next = models.use(a)
  gaveUp.abort()
  await expect(waiting).rejects.toMatchObject({ code: 'aborted' })
  await next
  expect(events).toEqual(['+a'])
})

test('a failed load fails only the requests for that model', async () => {
  const { models, events, model } = setUp(1)
  const [a, b] = [model('a'), model('b')]
  a.failing = new Error('the file is gone')
  const results = await Promise.allSettled([models.use(a), models.use(b)])
  expect(results.map(({ status }) => status)).toEqual(['rejected', 'fulfilled'])
  expect(events).toEqual(['+b'])
})

test('if other programs have the memory, idle models leave, and then the request is refused for now', async () => {
  const free = { ramBytes: 0, vramBytes: 0 }
  const { models, events, model } = setUp(4, { free: () => free })
  const [small, large] = [model('small'), model('large', 3)]
  expect(models.hasMemoryFor(large)).toBe(false)
  await expect(models.use(large)).rejects.toMatchObject({ code: 'busy', retryAfterMs: MEMORY_RETRY_MS })
  free.ramBytes = 2 * GB
  ;(await models.use(small))()
  expect(models.hasMemoryFor(large)).toBe(true)
  await models.use(large)
  expect(events).toEqual(['+small', '-small', '+large'])
})

test('an idle model leaves after the time that the owner set', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  try {
    const { models, events, model } = setUp(1, { idleMs: 60_000 })
    const a = model('a')
    const release = await models.use(a)
    await vi.advanceTimersByTimeAsync(120_000)
    expect(events).toEqual(['+a'])
    release()
    await vi.advanceTimersByTimeAsync(59_999)
    expect(events).toEqual(['+a'])
    await vi.advanceTimersByTimeAsync(1)
    expect(events).toEqual(['+a', '-a'])
  } finally {
    vi.useRealTimers()
  }
})

test('under random requests, the loaded models never exceed the budget, and every request ends', async () => {
  const { models, events, clock, model } = setUp(2)
  const all = [model('a'), model('b', 2), model('c'), model('d', 0.5)]
  let random = 7
  const next = (limit: number): number => (random = (random * 48_271) % 2_147_483_647) % limit
  const needs = (name: string): number => all.find((each) => each.name === name)!.needs.ramBytes
  const uses = Array.from({ length: 500 }, async () => {
    const each = all[next(all.length)]!
    const release = await models.use(each)
    expect(models.isLoaded(each)).toBe(true)
    for (let turn = next(4); turn > 0; turn--) await new Promise((resolve) => setImmediate(resolve))
    clock.ms += next(2_000)
    release()
  })
  await Promise.all(uses)
  let used = 0
  for (const event of events) {
    used += needs(event.slice(1)) * (event.startsWith('+') ? 1 : -1)
    expect(used).toBeLessThanOrEqual(2 * GB)
  }
  expect(new Set(events.map((event) => event.slice(1))).size).toBe(4)
})
