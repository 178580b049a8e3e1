/** When the villains' testnet says that its promise is kept. */
import type { PeerStanding } from '@potluck/client'
import { expect, test } from 'vitest'

import { isKept, judge, rows, type Actor, type Asked } from '../../../scripts/testnet/villains/tally.ts'

const ACTORS: readonly Actor[] = [
  { name: 'honest', peerId: 'H', villain: undefined },
  { name: 'cutter', peerId: 'C', villain: 'cutter' }
]

/** So many requests, of which those with these numbers went to others than the honest node alone. */
function asked(count: number, astray: Readonly<Record<number, readonly string[]>> = {}): Asked[] {
  return Array.from({ length: count }, (_, index) => ({ index, peers: astray[index] ?? ['H'] }))
}

function judged(requests: readonly Asked[], views: readonly PeerStanding[] = []): ReturnType<typeof judge> {
  return judge(rows(ACTORS, requests, views), requests)
}

test('the last 40 count, and 38 of them are enough', () => {
  const early = Object.fromEntries(Array.from({ length: 40 }, (_, index) => [index, ['C']]))
  expect(judged(asked(80, early))).toMatchObject({ honest: 40, of: 40, enough: true })
  expect(judged(asked(80, { 50: ['C'], 60: ['C'] }))).toMatchObject({ honest: 38, enough: true })
  expect(judged(asked(80, { 50: ['C'], 60: ['C'], 70: ['C'] }))).toMatchObject({ honest: 37, enough: false })
})

test('an answer that a villain began went to a villain, and so did one that never came', () => {
  expect(judged(asked(80, { 79: ['C', 'H'] })).honest).toBe(39)
  expect(judged([...asked(79), { index: 79, peers: ['H'], failure: 'busy' }]).honest).toBe(39)
})

test('requests count in the order in which they were asked', () => {
  expect(judged(asked(80, { 0: ['C'], 1: ['C'], 2: ['C'] }).toReversed()).enough).toBe(true)
})

test('the promise: enough, the impostor banned, nobody honest quarantined', () => {
  const promised = judged(asked(80))
  expect(isKept(promised, true)).toBe(true)
  expect(isKept(promised, false)).toBe(false)
  expect(isKept({ ...promised, enough: false }, true)).toBe(false)
  expect(isKept({ ...promised, honestQuarantined: ['honest'] }, true)).toBe(false)
})

test('after fewer requests only the blame of an honest node breaks it', () => {
  const promised = judged(asked(79))
  expect(isKept(promised, false)).toBeUndefined()
  expect(isKept({ ...promised, honestQuarantined: ['honest'] }, false)).toBe(false)
})
