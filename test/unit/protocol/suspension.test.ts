import { SuspensionWatch } from '@potluck/protocol'
import { expect, test } from 'vitest'

class World {
  now = 1_000_000
  monotonic = 0
  resumed = 0
  tick: (() => void) | undefined
  readonly watch = new SuspensionWatch(() => this.resumed++, {
    now: () => this.now,
    monotonic: () => this.monotonic,
    every: (_ms, tick) => {
      this.tick = tick
      return () => (this.tick = undefined)
    }
  })

  /** The process runs for this time. */
  run(seconds: number): void {
    for (let second = 0; second < seconds; second++) {
      this.now += 1_000
      this.monotonic += 1_000
      this.tick?.()
    }
  }
}

test('no suspension is noticed while time passes as usual, with and without the timer', () => {
  const world = new World()
  world.run(3_600)
  const release = world.watch.hold()
  world.run(3_600)
  release()
  world.run(3_600)
  world.watch.hold()
  expect(world.resumed).toBe(0)
})

test('a late tick is a suspension, also if both clocks advanced: the process was stopped', () => {
  const world = new World()
  world.watch.hold()
  world.run(10)
  const sentAt = world.now
  world.now += 30_000
  world.monotonic += 30_000
  world.tick?.()
  expect(world.resumed).toBe(1)
  expect(world.watch.resumedSince(sentAt)).toBe(true)
  expect(world.watch.resumedSince(world.now)).toBe(false)
  world.run(100)
  expect(world.resumed).toBe(1)
})

test('without the timer, a sleep is noticed at the next use: only the wall clock advanced', () => {
  const world = new World()
  world.now += 8 * 3_600_000
  const release = world.watch.hold()
  expect(world.resumed).toBe(1)
  release()
  world.now += 5_000
  expect(world.watch.resumedSince(world.now - 1)).toBe(true)
  expect(world.resumed).toBe(2)
})

test('a decision right after the suspension, before the first tick, knows of it', () => {
  const world = new World()
  world.watch.hold()
  const sentAt = world.now
  world.now += 60_000
  expect(world.watch.resumedSince(sentAt)).toBe(true)
})

test('a short delay and a clock that is set back are no suspensions', () => {
  const world = new World()
  world.watch.hold()
  world.now += 4_000
  world.monotonic += 4_000
  world.tick?.()
  world.now -= 3_600_000
  world.run(10)
  expect(world.resumed).toBe(0)
})

test('the timer runs while anything holds it', () => {
  const world = new World()
  const releases = [world.watch.hold(), world.watch.hold()]
  releases[0]?.()
  releases[0]?.()
  expect(world.tick).toBeDefined()
  releases[1]?.()
  expect(world.tick).toBeUndefined()
})
