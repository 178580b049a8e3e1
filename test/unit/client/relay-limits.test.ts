import { expect, test } from 'vitest'

import { isNearLimit, mayHaveReachedLimit } from '../../../client/network/relay-limits.ts'

const OPENED = 1_000_000_000_000
const KIB = 1024

interface Limited {
  limits?: { bytes?: bigint; seconds?: number }
  timeline: { open: number }
}

function limited(limits?: { bytes?: bigint; seconds?: number }): Limited {
  return { ...(limits && { limits }), timeline: { open: OPENED } }
}

test('a connection without limits never reaches one', () => {
  for (const connection of [limited(), limited({})]) {
    expect(isNearLimit(connection, 1e9, OPENED + 1e9)).toBe(false)
    expect(mayHaveReachedLimit(connection, OPENED + 1e9)).toBe(false)
  }
})

test('the client leaves a connection when a sixteenth of the bytes is left', () => {
  const connection = limited({ bytes: BigInt(128 * KIB) })
  expect(isNearLimit(connection, 0, OPENED)).toBe(false)
  expect(isNearLimit(connection, 100 * KIB, OPENED)).toBe(false)
  expect(isNearLimit(connection, 130 * KIB, OPENED)).toBe(true)
  connection.limits = { bytes: BigInt(9 * KIB) }
  expect(isNearLimit(connection, 0, OPENED)).toBe(false)
  connection.limits = { bytes: BigInt(8 * KIB) }
  expect(isNearLimit(connection, 0, OPENED)).toBe(true)
})

test('a cut is the relay only near the limit', () => {
  const connection = limited({ bytes: BigInt(128 * KIB) })
  expect(mayHaveReachedLimit(connection, OPENED)).toBe(false)
  connection.limits = { bytes: BigInt(64 * KIB) }
  expect(mayHaveReachedLimit(connection, OPENED)).toBe(false)
  connection.limits = { bytes: BigInt(30 * KIB) }
  expect(mayHaveReachedLimit(connection, OPENED)).toBe(true)
})

test.each([
  ['a Go relay', 120, 120_000],
  ['a js relay, in milliseconds', 120_000, 120_000],
  ['a js relay, read after a second', 119_999, 120_000],
  ["a relay of this network, which is js-libp2p's", 7_200_000, 7_200_000],
  ['an hour of a Go relay', 3_600, 3_600_000]
])('the time of %s: %i is %i ms', (_, seconds, totalMs) => {
  const readAt = OPENED + (seconds === 119_999 ? 1_000 : 0)
  const connection = limited({ seconds })
  expect(isNearLimit(connection, 0, readAt)).toBe(false)
  expect(isNearLimit(connection, 0, OPENED + 0.9 * totalMs)).toBe(false)
  expect(mayHaveReachedLimit(connection, OPENED + 0.9 * totalMs)).toBe(false)
  expect(isNearLimit(connection, 0, OPENED + 0.95 * totalMs)).toBe(true)
  expect(mayHaveReachedLimit(connection, OPENED + 0.95 * totalMs)).toBe(true)
})

test('values that mean nothing end the use of the connection, at worst', () => {
  expect(isNearLimit(limited({ seconds: -5 }), 0, OPENED)).toBe(true)
  expect(isNearLimit(limited({ bytes: 0n }), 0, OPENED)).toBe(true)
})
