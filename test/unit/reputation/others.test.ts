/** What others say, what strangers get, how much is audited, and how it is all explained. */
import { expect, test } from 'vitest'
import { Accusations } from '../../../client/reputation/index.ts'
import { audit, complete, DIGEST, reputationAt, SECOND, TestClock } from './help.ts'

const PEER = 'peer-a'

test('an accusation that nobody checked moves no score, and a false one silences its source', () => {
  const accusations = new Accusations<string>()
  accusations.add({ accused: PEER, source: 'slanderer', proof: 'false' })
  const first = accusations.against(PEER)
  expect(first).toBeDefined()
  accusations.checked(first!, false)
  accusations.add({ accused: 'peer-b', source: 'slanderer', proof: 'false' })
  expect(accusations.against(PEER)).toBeUndefined()
  expect(accusations.against('peer-b')).toBeUndefined()
})

test('a source that was right goes before one of which nothing is known', () => {
  const accusations = new Accusations<string>()
  const right = { accused: 'liar', source: 'honest', proof: 'true' }
  expect(accusations.purpose(right)).toBe('recheck_stranger')
  accusations.checked(right, true)
  accusations.add({ accused: PEER, source: 'unknown', proof: 'x' })
  accusations.add({ accused: PEER, source: 'another', proof: 'y' })
  expect(accusations.against(PEER)?.source).toBe('unknown')
  accusations.add({ accused: PEER, source: 'honest', proof: 'z' })
  const kept = accusations.against(PEER)
  expect(kept?.source).toBe('honest')
  expect(accusations.purpose(kept!)).toBe('recheck')
})

test('accusations are bounded: the oldest leaves', () => {
  const accusations = new Accusations<number>()
  for (let index = 0; index < 600; index++)
    accusations.add({ accused: `p-${index}`, source: `s-${index}`, proof: index })
  expect(accusations.against('p-0')).toBeUndefined()
  expect(accusations.against('p-599')).toBeDefined()
})

test('strangers are trusted as far as strangers were good', () => {
  const reputation = reputationAt(new TestClock())
  const shares = [reputation.probationShare()]
  for (const peer of ['a', 'b', 'c']) {
    reputation.observe(peer, DIGEST, audit(5_000))
    shares.push(reputation.probationShare())
  }
  expect(shares[0]).toBe(0.05)
  expect(shares[1]! / shares[0]!).toBeCloseTo(1 / 4)
  expect(shares[3]! / shares[0]!).toBeCloseTo(1 / 12.5, 1)
  for (let index = 0; index < 30; index++) reputation.observe(`good-${index}`, DIGEST, audit(0.1, 2_000))
  expect(reputation.probationShare()).toBeGreaterThan(0.03)
})

test('without anything to audit them with, no newcomer gets a share', () => {
  const reputation = reputationAt(new TestClock())
  while (reputation.takeBudget(100, 'probe'));
  expect(reputation.probationShare()).toBe(0)
  for (let answer = 0; answer < 200; answer++) reputation.observe(PEER, DIGEST, complete())
  expect(reputation.probationShare()).toBeGreaterThan(0)
})

test('a probationary peer is audited fully, an established peer less and less, and never not at all', () => {
  const reputation = reputationAt(new TestClock(), { auditAllowanceTokens: 1e6, auditBudget: 0 })
  const audited = (): number => {
    let count = 0
    for (let index = 0; index < 1_000; index++) {
      if (!reputation.takeAudit(PEER, DIGEST, 0, () => index / 1_000)) continue
      count++
      reputation.auditFailed(PEER)
    }
    return count / 1_000
  }
  expect(audited()).toBe(1)
  reputation.observe(PEER, DIGEST, audit(0.1, 2_000))
  // Spend what is beyond the reserve: with a full budget everybody is audited.
  while (reputation.takeBudget(10_000, 'probe'));
  const shares = [20, 40, 400].map((answers) => {
    for (let index = 0; index < answers; index++) reputation.observe(PEER, DIGEST, complete())
    return audited()
  })
  expect(shares[0]).toBeGreaterThan(shares[1]!)
  expect(shares[2]).toBe(0.05)
})

test('an audit under way is known, until its result or its failure comes', () => {
  const reputation = reputationAt(new TestClock())
  expect(reputation.takeAudit(PEER, DIGEST, 500, () => 0)).toBe(true)
  expect(reputation.takeAudit(PEER, DIGEST, 500, () => 0)).toBe(true)
  expect(reputation.awaitedAudits(PEER)).toBe(2)
  reputation.observe(PEER, DIGEST, audit(0.5))
  reputation.observe(PEER, DIGEST, { type: 'incomparable' })
  expect(reputation.awaitedAudits(PEER)).toBe(0)
})

test('the explanation says which observations made the score', () => {
  const clock = new TestClock()
  const reputation = reputationAt(clock)
  for (let answer = 0; answer < 12; answer++) reputation.observe(PEER, DIGEST, complete())
  reputation.observe(PEER, DIGEST, { type: 'failed', code: 'stream_cut' })
  reputation.reached()
  reputation.observe(PEER, DIGEST, audit(45, 600))
  clock.pass(90 * SECOND)
  const { score, lines } = reputation.explain(PEER, DIGEST)
  expect(score.standing).toBe('quarantined')
  expect(lines).toEqual([
    'quarantined 90 s ago: evidence 45 over 600 audited tokens, the limit is 30',
    '12 answers complete, the last 90 s ago',
    '1 answers cut off, the last 90 s ago (each weighs as 3 failed answers, once the own network was proven)',
    '1 answers audited, the last 90 s ago',
    'prompts up to 256 tokens: first token after 450 ms, prefill 660 tokens/s, decode 50 tokens/s',
    'keeps 66 % of the prefill and 100 % of the decode rate that its card claims'
  ])
})
