import { expect, test } from 'vitest'
import { predict, stallAfterMs, trickleAfterMs, type Claims } from '../../../client/reputation/index.ts'
import { complete, DIGEST, HOUR, reputationAt, TestClock } from './help.ts'

const PEER = 'peer-a'
const WORK = { promptTokens: 200, cachedTokens: 0, answerTokens: 101 }
const CLAIMS: Claims = complete().claims

test('without measurements the prediction uses the claim, and without a claim the rates of a slow processor', () => {
  const { parameters, ...rest } = fresh()
  const { prefillMs, decodeMs } = predict(rest.speed(), WORK, CLAIMS, parameters, 0)
  expect(prefillMs).toBeCloseTo(264, 0)
  expect(decodeMs).toBeCloseTo(2_000, 0)
  const unknown = { prefillTokensPerSecond: 0, decodeTokensPerSecond: 0 }
  expect(predict(rest.speed(), WORK, unknown, parameters, 0).decodeMs).toBeGreaterThan(10_000)
})

test('measurements outweigh the claim, and the explanation shows both', () => {
  const { reputation, clock, speed } = fresh()
  for (let answer = 0; answer < 20; answer++) {
    reputation.observe(PEER, DIGEST, complete({ decodeMs: 10_000, ttftMs: 2_000, predictedMs: 3_000 }))
  }
  const { decodeMs } = predict(speed(), WORK, CLAIMS, reputation.parameters, clock.at)
  expect(decodeMs).toBeGreaterThan(9_000)
  const lines = reputation.explain(PEER, DIGEST).lines.join('\n')
  expect(lines).toContain('20 % of the decode rate')
  expect(lines).toContain('4.0 times as long as predicted')
})

test('after the first answer, a claim cannot make a slow peer look faster than it is', () => {
  const { reputation, clock, speed } = fresh()
  const boast: Claims = { prefillTokensPerSecond: 1e6, decodeTokensPerSecond: 5_000 }
  reputation.observe(PEER, DIGEST, complete({ claims: boast, decodeMs: 10_000 }))
  expect(predict(speed(), WORK, boast, reputation.parameters, clock.at).decodeMs).toBeGreaterThan(9_900)
})

test('one slow answer changes the prediction at once, one fast answer hardly changes it', () => {
  const { reputation, clock, speed } = fresh()
  const predicted = (): number => predict(speed(), WORK, CLAIMS, reputation.parameters, clock.at).decodeMs
  for (let answer = 0; answer < 20; answer++) reputation.observe(PEER, DIGEST, complete())
  const before = predicted()
  reputation.observe(PEER, DIGEST, complete({ decodeMs: 16_000 }))
  const peak = predicted()
  expect(peak / before).toBeGreaterThan(2)
  reputation.observe(PEER, DIGEST, complete())
  expect(predicted() / peak).toBeGreaterThan(0.8)
})

test('each prompt length has its own average; a length without samples uses the claim, corrected by other lengths', () => {
  const { reputation, clock, speed } = fresh()
  for (let answer = 0; answer < 20; answer++) {
    reputation.observe(PEER, DIGEST, complete({ promptTokens: 8_000, ttftMs: 16_050 }))
  }
  const { parameters } = reputation
  const long = predict(speed(), { ...WORK, promptTokens: 8_000 }, CLAIMS, parameters, clock.at)
  const short = predict(speed(), WORK, CLAIMS, parameters, clock.at)
  expect(long.prefillMs).toBeGreaterThan(14_000)
  expect(short.prefillMs / 264).toBeCloseTo(long.prefillMs / 8_064, 0)
})

test("a wait beyond the node's estimate is detected; a slow prefill that grows with the prompt is not such a wait", () => {
  const liar = fresh()
  const slow = fresh()
  for (let answer = 0; answer < 5; answer++) {
    liar.reputation.observe(PEER, DIGEST, complete({ ttftMs: 20_000 }))
    slow.reputation.observe(PEER, DIGEST, complete({ ttftMs: 800 }))
  }
  expect(liar.speed().hidden?.mean).toBeGreaterThan(5_000)
  expect(slow.speed().hidden?.mean).toBe(0)
  const honest = fresh()
  honest.reputation.observe(PEER, DIGEST, complete({ ttftMs: 20_000, estimatedWaitMs: 19_500 }))
  expect(honest.speed().hidden?.mean).toBe(0)
  expect(honest.speed().wait?.mean).toBe(19_500)
})

test('an attempt cancelled before its first token still counts as slow', () => {
  const { reputation, speed } = fresh()
  const late = { ...complete(), type: 'late', waitedMs: 15_000, overdue: false } as const
  reputation.observe(PEER, DIGEST, late)
  expect(speed().hidden?.mean).toBeGreaterThan(5_000)
  expect(reputation.state(PEER, DIGEST).counts.late?.count).toBe(1)
  const state = reputation.state(PEER, DIGEST)
  reputation.observe(PEER, DIGEST, { ...late, waitedMs: 100 })
  expect(reputation.state(PEER, DIGEST)).toBe(state)
  expect(reputation.state(PEER, DIGEST).reliability.week.failed).toBe(0)
})

test('measured speed loses its weight: after hours the claim counts again', () => {
  const { reputation, clock, speed } = fresh()
  reputation.observe(PEER, DIGEST, complete({ decodeMs: 20_000 }))
  clock.pass(10 * HOUR)
  expect(predict(speed(), WORK, CLAIMS, reputation.parameters, clock.at).decodeMs).toBeCloseTo(2_000, -1)
})

test("the stall limit depends on the peer's own gaps", () => {
  const { reputation, speed } = fresh()
  expect(stallAfterMs(speed(), undefined, 20_000)).toBe(20_000)
  expect(stallAfterMs(speed(), 10, 20_000)).toBe(1_200)
  expect(stallAfterMs(speed(), 500, 20_000)).toBe(10_000)
  expect(stallAfterMs(speed(), 5_000, 20_000)).toBe(20_000)
  for (let answer = 0; answer < 10; answer++) reputation.observe(PEER, DIGEST, complete({ longestGapMs: 20 }))
  expect(stallAfterMs(speed(), undefined, 20_000)).toBe(1_200)
  for (let answer = 0; answer < 10; answer++) reputation.observe(PEER, DIGEST, complete({ longestGapMs: 1_000 }))
  expect(stallAfterMs(speed(), 10, 20_000)).toBeGreaterThan(3_000)
})

function fresh(): {
  reputation: ReturnType<typeof reputationAt>
  parameters: ReturnType<typeof reputationAt>['parameters']
  clock: TestClock
  speed: () => ReturnType<ReturnType<typeof reputationAt>['state']>['speed']
} {
  const clock = new TestClock()
  const reputation = reputationAt(clock)
  return { reputation, parameters: reputation.parameters, clock, speed: () => reputation.state(PEER, DIGEST).speed }
}

test('a node trickles if it is slower than any caller may be, and ten times slower than predicted', () => {
  /** Returns the tokens that a node gives before it is too late, if each takes this long. */
  const tokensOf = (gapMs: number, expectedGapMs: number): number => {
    let tokens = 0
    while (tokens < 1_000 && trickleAfterMs(expectedGapMs, tokens, tokens * gapMs, 20_000) > gapMs) tokens++
    return tokens
  }
  expect(tokensOf(600, 10)).toBe(1_000)
  expect(tokensOf(2_000, 10)).toBe(6)
  expect(tokensOf(15_000, 10)).toBe(0)
  // It says on its card that it needs a second for a token.
  expect(tokensOf(9_000, 1_000)).toBe(1_000)
  expect(tokensOf(15_000, 1_000)).toBe(0)
})
