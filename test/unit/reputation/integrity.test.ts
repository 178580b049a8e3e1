/** Evidence against the integrity of a peer: quarantine, release and ban. */
import { expect, test } from 'vitest'
import { MemoryReputationStore, Reputation } from '../../../client/reputation/index.ts'
import { audit, complete, DIGEST, HOUR, reputationAt, TestClock } from './help.ts'

const PEER = 'peer-a'

test('a peer is quarantined at an evidence of 30 and banned at 1,000', () => {
  const reputation = reputationAt(new TestClock())
  const standings = [29, 31, 999, 1_001].map((evidence) => {
    reputation.observe(PEER, DIGEST, audit(evidence))
    return reputation.standing(PEER, DIGEST)
  })
  expect(standings).toEqual(['probationary', 'quarantined', 'quarantined', 'banned'])
})

test('later audits release a quarantined peer, but never a banned one', () => {
  const reputation = reputationAt(new TestClock())
  reputation.observe(PEER, DIGEST, audit(31, 2_000))
  reputation.observe(PEER, DIGEST, audit(2, 3_000))
  expect(reputation.standing(PEER, DIGEST)).toBe('quarantined')
  reputation.observe(PEER, DIGEST, audit(0.5, 4_000))
  expect(reputation.standing(PEER, DIGEST)).toBe('established')
  reputation.observe(PEER, DIGEST, audit(2_000, 5_000))
  reputation.observe(PEER, DIGEST, audit(0.5, 6_000))
  expect(reputation.standing(PEER, DIGEST)).toBe('banned')
})

test('neither time nor speed nor complete answers reduce the evidence', () => {
  const clock = new TestClock()
  const reputation = reputationAt(clock)
  reputation.observe(PEER, DIGEST, audit(40))
  for (let answer = 0; answer < 500; answer++) reputation.observe(PEER, DIGEST, complete({ ttftMs: 60, decodeMs: 100 }))
  clock.pass(365 * 24 * HOUR)
  expect(reputation.score(PEER, DIGEST)).toMatchObject({ standing: 'quarantined', logEvidence: Math.log(40) })
})

test('a ban applies to the key: with every model, and after a restart', () => {
  const clock = new TestClock()
  const store = new MemoryReputationStore()
  const first = new Reputation({ store, now: clock.now })
  first.observe(PEER, DIGEST, audit(5_000))
  expect(first.standing(PEER, 'sha256:bb')).toBe('banned')
  clock.pass(400 * 24 * HOUR)
  const second = new Reputation({ store, now: clock.now })
  expect(second.standing(PEER, 'sha256:bb')).toBe('banned')
  expect(second.explain(PEER, 'sha256:bb').lines[0]).toContain('another model')
})

test("a fraud proof bans a peer only if this client's check finds enough evidence", () => {
  const reputation = reputationAt(new TestClock())
  reputation.observe(PEER, DIGEST, { type: 'proven', logEvidence: Math.log(999) })
  expect(reputation.standing(PEER, DIGEST)).toBe('probationary')
  reputation.observe(PEER, DIGEST, { type: 'proven', logEvidence: Math.log(1_001) })
  expect(reputation.standing(PEER, DIGEST)).toBe('banned')
})

test('a peer becomes established by audited tokens, not by answers', () => {
  const reputation = reputationAt(new TestClock())
  for (let answer = 0; answer < 100; answer++) reputation.observe(PEER, DIGEST, complete())
  expect(reputation.standing(PEER, DIGEST)).toBe('probationary')
  reputation.observe(PEER, DIGEST, audit(0.2, 1_000))
  expect(reputation.standing(PEER, DIGEST)).toBe('established')
})
