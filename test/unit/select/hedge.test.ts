import { expect, test } from 'vitest'

import {
  earnHedge,
  FRESH_HEDGING,
  hedgeAfterMs,
  noteFirstToken,
  spendHedge,
  type Hedging
} from '../../../client/select/hedge.ts'
import { seeded } from './help.ts'

test('a new client can send one hedge, when the first token takes three times as long as predicted', () => {
  expect(hedgeAfterMs(FRESH_HEDGING, 2_000)).toBe(6_000)
  expect(hedgeAfterMs(FRESH_HEDGING, 20)).toBe(1_000)
  const spent = spendHedge(FRESH_HEDGING)!
  expect(spendHedge(spent)).toBeUndefined()
})

test('at most 3 of 100 requests are hedged, and the client saves at most 2 hedges for a burst', () => {
  let hedging: Hedging = FRESH_HEDGING
  let hedged = 0
  for (let request = 0; request < 10_000; request++) {
    hedging = earnHedge(hedging)
    const left = spendHedge(hedging)
    if (left === undefined) continue
    hedging = left
    hedged++
  }
  expect(hedged).toBeGreaterThan(290)
  expect(hedged).toBeLessThanOrEqual(303)
  for (let request = 0; request < 10_000; request++) hedging = earnHedge(hedging)
  expect(hedging.tokens).toBe(2)
})

test('about 1 in 20 waits for a first token is long enough for a hedge', () => {
  const random = seeded(11)
  let hedging: Hedging = FRESH_HEDGING
  let beyond = 0
  for (let request = 0; request < 4_000; request++) {
    const actualMs = 1_000 * (1 + 9 * random() ** 4)
    if (request > 1_000 && actualMs > hedgeAfterMs(hedging, 1_000)) beyond++
    hedging = noteFirstToken(hedging, actualMs, 1_000)
  }
  expect(beyond / 3_000).toBeGreaterThan(0.03)
  expect(beyond / 3_000).toBeLessThan(0.08)
})

test('the client sends no hedge before 300 ms', () => {
  let hedging: Hedging = FRESH_HEDGING
  for (let request = 0; request < 500; request++) hedging = noteFirstToken(hedging, 5, 10)
  expect(hedgeAfterMs(hedging, 10)).toBe(300)
})
