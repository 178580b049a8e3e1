import fc from 'fast-check'
import { expect, test } from 'vitest'

import { FairQueue, type Place } from '../../../node/admission/queue.ts'
import { INITIAL_SERVICE_MS } from '../../../node/limits/limits.ts'

interface Started {
  peer: string
  place: Place | undefined
}

/** `a/b/c` is the peer c at the host b of the subnet a; `c` alone is a peer without a known network. */
const pathOf = (caller: string): string[] => caller.split('/')

/** A queue, and its started and displaced requests in their order. */
function record(options: { slots: number; capacity: number; now?: () => number }) {
  const queue = new FairQueue({ now: () => 0, ...options })
  const started: Started[] = []
  const displaced: Started[] = []
  const enter = (peer: string): Place | undefined => {
    const entry: Started = { peer, place: undefined }
    const waiting = { start: () => started.push(entry), displaced: () => displaced.push(entry) }
    entry.place = queue.enter(pathOf(peer), waiting)
    return entry.place
  }
  return { queue, started, displaced, enter }
}

test('a request takes a free slot at once', () => {
  const { started, enter } = record({ slots: 2, capacity: 8 })
  const place = enter('a')
  expect(started).toHaveLength(1)
  expect(place?.position()).toBe(0)
  expect(place?.estimatedWaitMs()).toBe(0)
})

test('a request waits for at most one turn of another peer, even if that peer has a hundred requests', () => {
  const { started, enter } = record({ slots: 1, capacity: 200 })
  for (let request = 0; request < 100; request++) enter('flood')
  const first = enter('guest')
  expect(first?.position()).toBe(1)
  // The flood has the next turn, but it also has the slot that becomes free.
  started[0]?.place?.leave()
  started[1]?.place?.leave()
  expect(started.map(({ peer }) => peer)).toEqual(['flood', 'guest', 'flood'])
})

test('a request waits for at most one turn of each subnet, even if a subnet has a hundred keys', () => {
  const { started, enter } = record({ slots: 1, capacity: 200 })
  for (let key = 0; key < 100; key++) enter(`flood/host ${key % 10}/key ${key}`)
  const guest = enter('elsewhere/host/guest')
  const neighbour = enter('flood/another host/neighbour')
  expect(guest?.position()).toBe(1)
  // Before the neighbour come one turn of each of the ten other hosts of its subnet, and the turns of the guest.
  expect(neighbour?.position()).toBe(11)
  for (let turn = 0; turn < 12; turn++) started.at(-1)?.place?.leave()
  expect(started.findIndex(({ peer }) => peer.endsWith('guest'))).toBe(1)
  expect(started.findIndex(({ peer }) => peer.endsWith('neighbour'))).toBe(11)
})

test('in a full queue, a request displaces the newest of the peer, host and subnet with the most', () => {
  const { displaced, enter } = record({ slots: 1, capacity: 6 })
  enter('running')
  for (const caller of ['a/1/x', 'a/1/x', 'a/1/y', 'a/2/z', 'b/1/x', 'b/1/x']) enter(caller)
  expect(enter('c/1/x')).toBeDefined()
  expect(enter('c/1/y')).toBeDefined()
  expect(displaced.map(({ peer }) => peer)).toEqual(['a/1/x', 'a/1/y'])
  // Now every subnet has two. A third request of one of them finds a place only if it displaces its own subnet's.
  expect(enter('b/2/y')).toBeDefined()
  expect(displaced.at(-1)?.peer).toBe('b/1/x')
  expect(enter('c/1/x')).toBeUndefined()
  expect(enter('c/1/z')).toBeUndefined()
})

test('a displaced request fails with busy', async () => {
  const queue = new FairQueue({ slots: 1, capacity: 2, now: () => 0 })
  queue.join(['running'])
  const [first, second] = [queue.join(['flood', 'a']), queue.join(['flood', 'b'])]
  queue.checkRoom(['guest'])
  queue.join(['guest'])
  const { signal } = new AbortController()
  await expect(second.slot(signal)).rejects.toMatchObject({ code: 'busy', retryAfterMs: 2 * INITIAL_SERVICE_MS })
  expect(first.position()).toBe(0)
  expect(() => queue.checkRoom(['guest'])).toThrow('full')
})

test('a slot is contested while a caller waits whose subnet, host or peer has fewer slots', () => {
  const { enter } = record({ slots: 3, capacity: 8 })
  const [one, two, alone] = [enter('a/1/x'), enter('a/1/y'), enter('b/1/x')]
  const contested = (): (boolean | undefined)[] => [one, two, alone].map((place) => place?.contested())
  expect(contested()).toEqual([false, false, false])
  const again = enter('a/1/x')
  expect(contested()).toEqual([false, false, false])
  again?.leave()
  const neighbour = enter('a/2/z')
  expect(contested()).toEqual([true, true, false])
  neighbour?.leave()
  enter('c/1/x')
  expect(contested()).toEqual([true, true, true])
})

test('with one slot, requests start in the order of their positions', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(11), { minLength: 1, maxLength: 40 }), (arrivals) => {
      const { started, enter } = record({ slots: 1, capacity: 100 })
      enter('first')
      const waiting = arrivals.map((peer) => enter(`subnet ${peer % 2}/host ${peer % 3}/peer ${peer}`)!)
      const expected = waiting.toSorted((a, b) => a.position() - b.position())
      for (const _ of expected) started.at(-1)?.place?.leave()
      const order = started.slice(1).map(({ place }) => place)
      expect(order).toEqual(expected)
    })
  )
})

test('a subnet that had a slot does not get it again while others wait, even if it waited before them', () => {
  const { started, enter } = record({ slots: 1, capacity: 8 })
  for (const key of ['a', 'b', 'c']) enter(`flood/host/${key}`)
  enter('elsewhere/host/guest')
  started.at(-1)?.place?.leave()
  expect(started.map(({ peer }) => peer)).toEqual(['flood/host/a', 'elsewhere/host/guest'])
})

test('a full queue refuses requests, and the time to retry is the time until half of the queue has started', () => {
  const { queue, enter } = record({ slots: 1, capacity: 4 })
  for (let request = 0; request < 5; request++) expect(enter(`peer ${request}`)).toBeDefined()
  expect(queue.hasRoom(['late'])).toBe(false)
  expect(enter('late')).toBeUndefined()
  expect(queue.retryAfterMs).toBe(3 * INITIAL_SERVICE_MS)
})

test('the estimated wait follows the measured service times', () => {
  let now = 0
  const { queue, started, enter } = record({ slots: 2, capacity: 100, now: () => now })
  for (let request = 0; request < 200; request++) {
    const place = enter('a')
    now += 100
    place?.leave()
  }
  started.length = 0
  enter('a')
  enter('b')
  const third = enter('c')
  const fourth = enter('d')
  const fifth = enter('e')
  expect(third?.estimatedWaitMs()).toBeCloseTo(100, 0)
  expect(fourth?.estimatedWaitMs()).toBeCloseTo(100, 0)
  expect(fifth?.estimatedWaitMs()).toBeCloseTo(200, 0)
  expect(queue.load()).toEqual({ active: 2, queued: 3, slots: 2, estimatedWaitMs: 200 })
  now += 60
  expect(third?.estimatedWaitMs()).toBeCloseTo(40, 0)
})

test('leaving a place or a slot twice has no effect', () => {
  const { queue, started, enter } = record({ slots: 1, capacity: 8 })
  const running = enter('a')
  const waiting = enter('b')
  waiting?.leave()
  waiting?.leave()
  running?.leave()
  running?.leave()
  expect(started).toHaveLength(1)
  expect(queue.load()).toMatchObject({ active: 0, queued: 0 })
})

test('join waits for a slot, and stops waiting when the stream is closed', async () => {
  const queue = new FairQueue({ slots: 1, capacity: 1, now: () => 0 })
  const running = queue.join(['a'])
  await running.slot(new AbortController().signal)
  const waiting = queue.join(['b'])
  expect(() => queue.join(['c'])).toThrow(expect.objectContaining({ code: 'busy', retryAfterMs: INITIAL_SERVICE_MS }))
  const closed = new AbortController()
  const slot = waiting.slot(closed.signal)
  closed.abort()
  await expect(slot).rejects.toMatchObject({ code: 'aborted' })
  waiting.leave()
  const next = queue.join(['b'])
  running.leave()
  await next.slot(new AbortController().signal)
  expect(queue.load()).toMatchObject({ active: 1, queued: 0 })
})

type Action = { type: 'enter'; peer: number } | { type: 'leave'; index: number }

const actions = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.record({ type: fc.constant('enter' as const), peer: fc.nat(4) }) },
    { weight: 2, arbitrary: fc.record({ type: fc.constant('leave' as const), index: fc.nat(200) }) }
  ),
  { maxLength: 200 }
)

test('requests start once, run only in the slots, and have different positions', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 0, max: 12 }), actions, (slots, capacity, list) => {
      const { queue, started, displaced, enter } = record({ slots, capacity })
      const here: Place[] = []
      const isRunning = (place: Place): boolean => started.some((entry) => entry.place === place)
      let accepted = 0
      const act = (action: Action): void => {
        if (action.type === 'enter') {
          const path = `subnet ${action.peer % 2}/host ${action.peer % 3}/peer ${action.peer}`
          const hadRoom = queue.hasRoom(pathOf(path))
          const before = displaced.length
          const place = enter(path)
          expect(place !== undefined).toBe(hadRoom)
          if (place === undefined) return
          accepted++
          here.push(place)
          for (const { place: lost } of displaced.slice(before)) here.splice(here.indexOf(lost!), 1)
        } else {
          const [place] = here.splice(action.index % Math.max(1, here.length), 1)
          place?.leave()
        }
      }
      for (const action of list) {
        act(action)
        const active = here.filter(isRunning).length
        expect(queue.load()).toMatchObject({ active, queued: here.length - active })
        expect(active).toBeLessThanOrEqual(slots)
        expect(here.length - active).toBeLessThanOrEqual(capacity)
        // No request waits while a slot is free.
        expect(active === slots || here.length === active).toBe(true)
        const positions = here.filter((place) => !isRunning(place)).map((place) => place.position())
        expect(positions.toSorted((a, b) => a - b)).toEqual(positions.map((_, index) => index))
      }
      expect(new Set(started).size).toBe(started.length)
      const waiting = here.filter((place) => !isRunning(place))
      const before = started.length
      for (const place of here.filter(isRunning)) place.leave()
      while (started.length < before + waiting.length) started.at(-1)?.place?.leave()
      expect(new Set(started.slice(before).map(({ place }) => place))).toEqual(new Set(waiting))
      expect(accepted).toBeGreaterThanOrEqual(started.length + displaced.length)
    }),
    { numRuns: 300 }
  )
})

test('between two turns of a peer, every other peer that always has a waiting request gets exactly one turn', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(4), { minLength: 2, maxLength: 60 }), (arrivals) => {
      const { started, enter } = record({ slots: 1, capacity: 100 })
      const waiting = new Map<string, number>()
      enter('first')
      for (const arrival of arrivals) {
        const peer = `peer ${arrival}`
        waiting.set(peer, (waiting.get(peer) ?? 0) + 1)
        enter(peer)
      }
      const sinceLastTurn = new Map<string, string[]>()
      for (let turn = 0; turn < arrivals.length; turn++) {
        started.at(-1)?.place?.leave()
        const peer = started.at(-1)?.peer ?? ''
        const between = sinceLastTurn.get(peer)
        if (between !== undefined) {
          const others = [...waiting.keys()].filter((other) => other !== peer)
          for (const other of others) {
            expect(between.filter((served) => served === other)).toHaveLength(1)
          }
        }
        for (const served of sinceLastTurn.values()) served.push(peer)
        sinceLastTurn.set(peer, [])
        const rest = (waiting.get(peer) ?? 0) - 1
        if (rest > 0) waiting.set(peer, rest)
        else {
          waiting.delete(peer)
          sinceLastTurn.delete(peer)
        }
      }
    })
  )
})
