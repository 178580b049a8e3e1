/** The predicted wait in a node's queue. */
import { expect, test } from 'vitest'

import { reputationParameters } from '../../../client/reputation/index.ts'
import { predictTimes } from '../../../client/select/predict.ts'
import { candidate, NOW, WORK } from './help.ts'

const waitMs = (changes: Parameters<typeof candidate>[1]): number =>
  predictTimes(candidate('a', changes), WORK, reputationParameters(), NOW).waitMs

const SERVICE_MS = predictTimes(candidate('a'), WORK, reputationParameters(), NOW).totalMs - 40

test.each([
  { active: 0, sentSince: 0, services: 0 },
  { active: 0, sentSince: 1, services: 0 },
  { active: 0, sentSince: 2, services: 1 },
  { active: 0, sentSince: 3, services: 2 },
  { active: 1, sentSince: 0, services: 0 },
  { active: 1, sentSince: 1, services: 1 },
  // The node reports the wait of the next request. Only later requests add to it.
  { active: 2, sentSince: 0, services: 0 },
  { active: 2, sentSince: 1, services: 1 }
])('with 2 slots, $active busy, $sentSince requests sent since: $services answers ahead', (row) => {
  const load = { active: row.active, queued: 0, slots: 2, estimatedWaitMs: 0 }
  expect(waitMs({ load, sentSince: row.sentSince })).toBeCloseTo((row.services * SERVICE_MS) / 2)
})

test('the reported wait gives way to the usual wait as the report ages; a node without history has none', () => {
  const load = { active: 2, queued: 1, slots: 2, estimatedWaitMs: 1_000 }
  expect(waitMs({ load })).toBe(1_000)
  expect(waitMs({ load, loadAt: NOW - 10_000 })).toBe(500)
})

test('a model that the node must load first is expected later', () => {
  const load = { active: 0, queued: 0, slots: 2, estimatedWaitMs: 0 }
  expect(waitMs({ load: { ...load, modelWaitMs: [3_000] } })).toBe(3_000)
  expect(waitMs({ load: { ...load, modelWaitMs: [0] } })).toBe(0)
  // The card has changed since the report: it lists more models.
  expect(waitMs({ load: { ...load, modelWaitMs: [] } })).toBe(0)
})
