import { expect, test } from 'vitest'

import { FairKeys } from '../../../node/data/fair-keys.ts'

function keysOf(count: number, name: string): string[] {
  return Array.from({ length: count }, (_, index) => `${name} ${index}`)
}

test('a source with many keys displaces its own, the least recently written first', () => {
  const keys = new FairKeys(10)
  for (const key of keysOf(3, 'honest')) expect(keys.write(key, key)).toBeUndefined()
  const flood = keysOf(20, 'flood')
  const displaced = flood.map((key) => keys.write(key, 'attacker'))
  expect(displaced).toEqual([...Array.from({ length: 7 }, () => undefined), ...flood.slice(0, 13)])
})

test('a source cannot make the keys of others its own, and loses those that others write too', () => {
  const keys = new FairKeys(10)
  for (const key of keysOf(8, 'flood')) keys.write(key, 'attacker')
  keys.write('honest', 'home')
  keys.write('honest', 'attacker')
  keys.write('flood 7', 'home')
  const displaced = keysOf(9, 'more').map((key) => keys.write(key, 'attacker'))
  expect(displaced).not.toContain('honest')
  expect(displaced).not.toContain('flood 7')
})

test('a deleted key makes room', () => {
  const keys = new FairKeys(2)
  for (const key of keysOf(2, 'a')) keys.write(key, '')
  keys.delete('a 1')
  expect(keys.write('b', '')).toBeUndefined()
  expect(keys.write('c', '')).toBe('a 0')
})
