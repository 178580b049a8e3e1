import { expect, test } from 'vitest'

import { Bandwidth } from '../../../node/limits/bandwidth.ts'

test('a burst of one second passes at once, and then the bytes per second', () => {
  let now = 0
  const bandwidth = new Bandwidth(1000, () => now)
  expect(bandwidth.take(1000)).toBe(0)
  expect(bandwidth.take(500)).toBe(500)
  now = 500
  expect(bandwidth.take(100)).toBe(100)
})

test('an idle second is not saved for later, and a frame larger than a second is not stuck', () => {
  let now = 0
  const bandwidth = new Bandwidth(1000, () => now)
  now = 60_000
  expect(bandwidth.take(3000)).toBe(2000)
  now = 62_000
  expect(bandwidth.take(1)).toBe(1)
})
