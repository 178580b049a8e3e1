import { expect, test } from 'vitest'
import { complete, DIGEST, HOUR, reputationAt, TestClock } from './help.ts'

const PEER = 'peer-a'

interface Peer {
  mean: () => number
  clock: TestClock
  answer: (count: number) => void
  cut: (count: number) => void
}

function peer(): Peer {
  const clock = new TestClock()
  const reputation = reputationAt(clock)
  return {
    clock,
    mean: () => reputation.score(PEER, DIGEST).reliabilityMean,
    answer: (count) => {
      for (let index = 0; index < count; index++) reputation.observe(PEER, DIGEST, complete())
    },
    cut: (count) => {
      for (let index = 0; index < count; index++) {
        reputation.observe(PEER, DIGEST, { type: 'failed', code: 'stream_cut' })
        reputation.reached()
      }
    }
  }
}

test('about three cut answers halve the reliability of a good peer', () => {
  const { answer, cut, mean } = peer()
  answer(10)
  expect(mean()).toBeGreaterThan(0.9)
  cut(3)
  expect(mean()).toBeLessThan(0.6)
})

test('many earlier good answers do not hide half an hour of failures', () => {
  const { answer, cut, clock, mean } = peer()
  answer(500)
  clock.pass(24 * HOUR)
  expect(mean()).toBeGreaterThan(0.97)
  cut(4)
  expect(mean()).toBeLessThan(0.5)
})

test('failures lose their weight within days, not within minutes', () => {
  const { answer, cut, clock, mean } = peer()
  answer(5)
  cut(5)
  const now = mean()
  clock.pass(HOUR)
  expect(mean()).toBeLessThan(now + 0.15)
  clock.pass(60 * 24 * HOUR)
  expect(mean()).toBeGreaterThan(0.75)
})

test('if the clock is set back, the weights of earlier answers do not grow', () => {
  const { answer, cut, clock, mean } = peer()
  answer(5)
  cut(1)
  const before = mean()
  clock.pass(-1000 * HOUR)
  expect(mean()).toBeCloseTo(before, 10)
})
