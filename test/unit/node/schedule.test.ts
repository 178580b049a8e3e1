import { CARD_TTL_MS } from '@potluck/protocol'
import { expect, test } from 'vitest'

import { afterAttempt, afterChange, nextPublication, startState } from '../../../node/advertise/schedule.ts'

const START = 1_000_000

test('without a peer nothing is published, but the card is renewed before it expires', () => {
  expect(nextPublication(startState(START))).toBe(START + CARD_TTL_MS / 2)
})

test('the first server causes the first publication, and later servers cause more, with pauses that grow to an hour', () => {
  const known = afterChange(startState(START), { at: START + 5, change: 'server' })
  expect(nextPublication(known)).toBe(START + 105)
  // Peers that come meanwhile do not delay the publication.
  expect(nextPublication(afterChange(known, { at: START + 100, change: 'server' }))).toBe(START + 105)

  let state = afterAttempt(known, { at: START + 200, storers: 1 })
  expect(nextPublication(state)).toBe(START + 200 + CARD_TTL_MS / 2)
  const waits: number[] = []
  for (let gain = 0; gain < 15; gain++) {
    state = afterChange(state, { at: state.attemptedAt, change: 'server' })
    const at = nextPublication(state)
    waits.push((at - state.attemptedAt) / 1000)
    state = afterAttempt(state, { at, storers: 3 })
  }
  expect(waits).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 3600, 3600, 3600])
})

test('an urgent change is published at once', () => {
  let state = startState(START)
  for (let renewal = 0; renewal < 10; renewal++) {
    state = afterAttempt(afterChange(state, { at: START, change: 'card' }), { at: START, storers: 1 })
  }
  expect(nextPublication(afterChange(state, { at: START + 50, change: 'card' }))).toBeGreaterThan(START + 60_000)
  expect(nextPublication(afterChange(state, { at: START + 50, change: 'urgent' }))).toBe(START + 150)
})

test('a changed card is published with pauses that grow to ten minutes', () => {
  let state = startState(START)
  const waits: number[] = []
  for (let renewal = 0; renewal < 12; renewal++) {
    state = afterChange(state, { at: state.attemptedAt, change: 'card' })
    const at = nextPublication(state)
    waits.push((at - state.attemptedAt) / 1000)
    state = afterAttempt(state, { at, storers: 3 })
  }
  expect(waits).toEqual([0.1, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600])
})

test('a publication that no peer stored is repeated with growing pauses, and at once when a peer comes', () => {
  let state = startState(START)
  const waits: number[] = []
  for (let failure = 0; failure < 12; failure++) {
    state = afterAttempt(state, { at: START, storers: 0 })
    waits.push((nextPublication(state) - START) / 1000)
  }
  expect(waits).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600])
  expect(nextPublication(afterChange(state, { at: START + 10, change: 'server' }))).toBe(START + 110)
  expect(afterAttempt(state, { at: START, storers: 1 }).failures).toBe(0)
})
