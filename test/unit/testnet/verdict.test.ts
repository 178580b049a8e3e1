/** Tests when a run of `npm run testnet -- --malicious` passes. */
import type { PeerStanding } from '@potluck/client'
import { expect, test } from 'vitest'

import {
  isPassed,
  toRows,
  toVerdict,
  type RequestRecord,
  type ScenarioNode,
  type Verdict
} from '../../../scripts/testnet/malicious/verdict.ts'

const NODES: readonly ScenarioNode[] = [
  { name: 'honest', peerId: 'H', malicious: undefined },
  { name: 'cutter', peerId: 'C', malicious: 'cutter' }
]

/** Returns so many requests. The honest node answered all of them, except those whose index is in `others`. */
function requests(count: number, others: Readonly<Record<number, readonly string[]>> = {}): RequestRecord[] {
  return Array.from({ length: count }, (_, index) => ({ index, peers: others[index] ?? ['H'] }))
}

function verdict(records: readonly RequestRecord[], views: readonly PeerStanding[] = []): Verdict {
  return toVerdict(toRows(NODES, records, views), records)
}

const found = { banned: true, foundAfterAudits: 3 }
const unknown = { banned: false, foundAfterAudits: undefined }

test('only the last 40 requests count, and 38 honest ones are enough', () => {
  const early = Object.fromEntries(Array.from({ length: 40 }, (_, index) => [index, ['C']]))
  expect(verdict(requests(80, early))).toMatchObject({ honest: 40, of: 40, enough: true })
  expect(verdict(requests(80, { 50: ['C'], 60: ['C'] }))).toMatchObject({ honest: 38, enough: true })
  expect(verdict(requests(80, { 50: ['C'], 60: ['C'], 70: ['C'] }))).toMatchObject({ honest: 37, enough: false })
})

test('a request does not count as honest if it failed, or if a malicious node began its answer', () => {
  expect(verdict(requests(80, { 79: ['C', 'H'] })).honest).toBe(39)
  expect(verdict([...requests(79), { index: 79, peers: ['H'], failure: 'busy' }]).honest).toBe(39)
})

test('requests count in the order in which they were sent', () => {
  expect(verdict(requests(80, { 0: ['C'], 1: ['C'], 2: ['C'] }).toReversed()).enough).toBe(true)
})

test('a run passes with enough honest requests, an impostor that is banned and found early, and no quarantined honest node', () => {
  const all = verdict(requests(80))
  expect(isPassed(all, found)).toBe(true)
  expect(isPassed(all, { ...found, banned: false })).toBe(false)
  expect(isPassed({ ...all, enough: false }, found)).toBe(false)
  expect(isPassed(all, { ...found, foundAfterAudits: 4 })).toBe(false)
  expect(isPassed({ ...all, honestQuarantined: ['honest'] }, found)).toBe(false)
})

test('with fewer requests a run fails only if an honest node is quarantined', () => {
  const few = verdict(requests(79))
  expect(isPassed(few, unknown)).toBeUndefined()
  expect(isPassed({ ...few, honestQuarantined: ['honest'] }, unknown)).toBe(false)
})
