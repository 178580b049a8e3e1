/** What selection remembers between requests (refusals and prefixes), and the random draws of the reliability. */
import type { ChatMessage } from '@potluck/protocol'
import { expect, test } from 'vitest'

import { drawBeta } from '../../../client/select/beta.ts'
import { avoid, backOff, type Avoidance, type Backoff } from '../../../client/select/backoff.ts'
import { conversationKeys, newPrefixes, prefixHolder } from '../../../client/select/prefixes.ts'
import { FakeClock } from './fakes.ts'
import { NOW, seeded } from './help.ts'

test("the client obeys a node's retry-after, up to a minute", () => {
  expect(backOff(undefined, 3_000, NOW).notBefore).toBe(NOW + 3_000)
  expect(backOff(undefined, 86_400_000, NOW).notBefore).toBe(NOW + 60_000)
})

test('without a retry-after, the pause doubles with each refusal', () => {
  let backoff: Backoff | undefined
  const pauses = Array.from({ length: 9 }, () => (backoff = backOff(backoff, undefined, NOW)).notBefore - NOW)
  expect(pauses).toEqual([500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000])
})

test('if a node keeps refusing with a short retry-after, the client asks it less and less often', () => {
  let backoff: Backoff | undefined
  for (let refusal = 0; refusal < 10; refusal++) backoff = backOff(backoff, 1, NOW)
  expect((backoff?.notBefore ?? 0) - NOW).toBe(60_000)
})

test('the client avoids a node for longer after each attempt that the node did not answer, up to an hour', () => {
  let avoidance: Avoidance | undefined
  const seconds = Array.from({ length: 9 }, () => ((avoidance = avoid(avoidance, NOW)).until - NOW) / 1_000)
  expect(seconds).toEqual([30, 60, 120, 240, 480, 960, 1_920, 3_600, 3_600])
})

const say = (role: ChatMessage['role'], content: string): ChatMessage => ({ role, content })

test('the next turn finds the node that served the last one; another conversation does not', () => {
  const clock = new FakeClock()
  const prefixes = newPrefixes(clock.now)
  const first = [say('system', 'Be kind.'), say('user', 'Hello')]
  const answered = [...first, say('assistant', 'Hi!')]
  prefixes.set(conversationKeys('d', { messages: answered }).at(-1)!, { peer: 'peer-a', tokens: 40 })
  const next = conversationKeys('d', { messages: [...answered, say('user', 'And now?')] })
  expect(prefixHolder(prefixes, next)).toMatchObject({ peer: 'peer-a', tokens: 40 })
  expect(prefixHolder(prefixes, conversationKeys('other', { messages: answered }))).toBeUndefined()
  expect(prefixHolder(prefixes, conversationKeys('d', { messages: first }))).toBeUndefined()
  clock.at += 14 * 60_000
  expect(prefixHolder(prefixes, next)).toBeDefined()
  clock.at += 2 * 60_000
  expect(prefixHolder(prefixes, next)).toBeUndefined()
})

test('the number of prefixes is bounded: the oldest is dropped', () => {
  const prefixes = newPrefixes(() => NOW)
  for (let index = 0; index < 5_000; index++) prefixes.set(`key-${index}`, { peer: 'peer-a', tokens: 1 })
  expect(prefixHolder(prefixes, ['key-0'])).toBeUndefined()
  expect(prefixHolder(prefixes, ['key-4999'])).toBeDefined()
})

test.each([
  [1, 0.25],
  [8, 2],
  [0.3, 0.3],
  [200, 5]
])('random draws of Beta(%d, %d) have its mean and variance', (alpha, beta) => {
  const random = seeded(13)
  const draws = Array.from({ length: 20_000 }, () => drawBeta({ alpha, beta }, random))
  const mean = draws.reduce((sum, draw) => sum + draw, 0) / draws.length
  const variance = draws.reduce((sum, draw) => sum + (draw - mean) ** 2, 0) / draws.length
  expect(mean).toBeCloseTo(alpha / (alpha + beta), 1.5)
  expect(variance).toBeCloseTo((alpha * beta) / ((alpha + beta) ** 2 * (alpha + beta + 1)), 1.5)
})
