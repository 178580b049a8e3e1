import { expect, test } from 'vitest'
import { isProven, remainingWaitMs, shouldMove } from '../../../client/select/move.ts'
import { contender, ranked } from './help.ts'

const [from] = ranked([contender('from')])
const [to] = ranked([contender('to')])
if (from === undefined || to === undefined) throw new Error('A contender without refusal is ranked.')

test('a place in a queue is given up where another node is clearly sooner', () => {
  expect(shouldMove(from, 0, to)).toBe(false)
  expect(shouldMove(from, 500, to)).toBe(false)
  expect(shouldMove(from, 20_000, to)).toBe(true)
})

test('a held prefix is worth a longer wait', () => {
  const holder = { ...from, why: 'holds_prefix' as const }
  expect(shouldMove(from, 5_000, to)).toBe(true)
  expect(shouldMove(holder, 5_000, to)).toBe(false)
  expect(shouldMove(holder, 60_000, to)).toBe(true)
})

test('a full queue drives nobody to strangers', () => {
  for (const why of ['probationary', 'probation_share', 'resting'] as const) {
    expect(isProven({ ...to, why })).toBe(false)
    expect(shouldMove(from, 1e6, { ...to, why })).toBe(false)
  }
})

test('what is left to wait: as told, then nothing, then as long again as it took', () => {
  const prefillMs = from.predicted.ttftMs - from.predicted.waitMs
  expect(remainingWaitMs(from, 5_000, 1_040)).toBe(4_000)
  expect(remainingWaitMs(from, 5_000, 5_040 + prefillMs)).toBe(0)
  expect(remainingWaitMs(from, 0, 20_040)).toBe(20_000)
})
