import { CARD_TTL_MS } from '@potluck/protocol'
import { expect, test } from 'vitest'

import { afterAttempt, afterChange, nextPublication, startState } from '../../../node/advertise/schedule.ts'

const START = 1_000_000

test('without a peer nothing is published, but the card is renewed before it expires', () => {
  expect(nextPublication(startState(START))).toBe(START + CARD_TTL_MS / 2)
})

test('the first peer causes the first publication, and later peers cause more publications with growing pauses', () => {
  const known = afterChange(startState(START), { at: START + 5, urgent: false })
  expect(nextPublication(known)).toBe(START + 105)
  // Peers that come meanwhile do not delay the publication.
  expect(nextPublication(afterChange(known, { at: START + 100, urgent: false }))).toBe(START + 105)

  let state = afterAttempt(known, { at: START + 200, storers: 1 })
  expect(nextPublication(state)).toBe(START + 200 + CARD_TTL_MS / 2)
  const waits: number[] = []
  for (let renewal = 0; renewal < 12; renewal++) {
    state = afterChange(state, { at: state.attemptedAt, urgent: false })
    const at = nextPublication(state)
    waits.push((at - state.attemptedAt) / 1000)
    state = afterAttempt(state, { at, storers: 3 })
  }
  expect(waits).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600])
})

test('an urgent change is published at once', () => {
  let state = startState(START)
  for (let renewal = 0; renewal < 10; renewal++) {
    state = afterAttempt(afterChange(state, { at: START, urgent: false }), { at: START, storers: 1 })
  }
  const change = { at: START + 50, urgent: false }
  expect(nextPublication(afterChange(state, change))).toBeGreaterThan(START + 60_000)
  expect(nextPublication(afterChange(state, { ...change, urgent: true }))).toBe(START + 150)
})

test('a publication that no peer stored is repeated with growing pauses, and at once when a peer comes', () => {
  let state = startState(START)
  const waits: number[] = []
  for (let failure = 0; failure < 12; failure++) {
    state = afterAttempt(state, { at: START, storers: 0 })
    waits.push((nextPublication(state) - START) / 1000)
  }
  expect(waits).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600])
  expect(nextPublication(afterChange(state, { at: START + 10, urgent: false }))).toBe(START + 110)
  expect(afterAttempt(state, { at: START, storers: 1 }).failures).toBe(0)
})
