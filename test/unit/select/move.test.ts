import { expect, test } from 'vitest'

import { isEligible, remainingWaitMs, shouldMove } from '../../../client/select/move.ts'
import { candidate, ranked } from './help.ts'

const [from] = ranked([candidate('from')])
const [to] = ranked([candidate('to')])
if (from === undefined || to === undefined) throw new Error('a single candidate was not ranked')

test('a request moves out of a queue if another node is clearly faster', () => {
  expect(shouldMove(from, 0, to)).toBe(false)
  expect(shouldMove(from, 500, to)).toBe(false)
  expect(shouldMove(from, 20_000, to)).toBe(true)
})

test('a request waits longer at the node that has its prefix in the cache', () => {
  const holder = { ...from, why: 'holds_prefix' as const }
  expect(shouldMove(from, 5_000, to)).toBe(true)
  expect(shouldMove(holder, 5_000, to)).toBe(false)
  expect(shouldMove(holder, 60_000, to)).toBe(true)
})

test('a request moves to an unmeasured node for its shorter wait, but not for the speed that its card claims', () => {
  const unmeasured = {
    ...to,
    why: 'unmeasured' as const,
    measured: false,
    predicted: { waitMs: 0, ttftMs: 1, totalMs: 2, prefillTokensPerSecond: 1 }
  }
  const serviceMs = from.predicted.totalMs
  expect(shouldMove(from, 0.2 * serviceMs, { ...unmeasured, measured: true })).toBe(true)
  expect(shouldMove(from, 0.2 * serviceMs, unmeasured)).toBe(false)
  expect(shouldMove(from, serviceMs, unmeasured)).toBe(true)
})

test('a request moves to a node that failed a short time ago only from such a node', () => {
  const avoided = { ...from, why: 'avoided' as const }
  expect(isEligible({ ...to, why: 'avoided' }, from)).toBe(false)
  expect(isEligible({ ...to, why: 'avoided' }, avoided)).toBe(true)
  expect(isEligible({ ...to, why: 'probationary' }, avoided)).toBe(true)
})

test('a request at an established node never moves to a probationary or resting node', () => {
  for (const why of ['probationary', 'probation_share', 'resting'] as const) {
    expect(isEligible({ ...to, why }, from)).toBe(false)
    expect(shouldMove(from, 1e6, { ...to, why })).toBe(false)
  }
})

test('while no established node is left, a request moves from one probationary node to another', () => {
  const probationary = { ...from, why: 'probationary' as const }
  expect(shouldMove(probationary, 20_000, { ...to, why: 'probationary' })).toBe(true)
  expect(isEligible({ ...to, why: 'probationary' }, { ...from, why: 'probation_share' })).toBe(false)
  expect(isEligible({ ...to, why: 'resting' }, probationary)).toBe(false)
})

test('the remaining wait is the rest of the reported wait, then 0; for an overdue token it is the time since the wait ended', () => {
  const prefillMs = from.predicted.ttftMs - from.predicted.waitMs
  expect(remainingWaitMs(from, 5_000, 1_040)).toBe(4_000)
  expect(remainingWaitMs(from, 5_000, 5_040 + prefillMs)).toBe(0)
  expect(remainingWaitMs(from, 0, 20_040)).toBe(20_000)
})
