/** A failure that is not the peer's fault does not change its score. */
import { expect, test } from 'vitest'
import type { ErrorCode } from '@potluck/protocol'
import { DIGEST, reputationAt, SECOND, TestClock, complete } from './help.ts'

const PEER = 'peer-a'

function untouchedBy(code: ErrorCode): void {
  const clock = new TestClock()
  const reputation = reputationAt(clock)
  reputation.observe(PEER, DIGEST, complete())
  const before = reputation.score(PEER, DIGEST)
  const state = reputation.state(PEER, DIGEST)
  for (let times = 0; times < 50; times++) reputation.observe(PEER, DIGEST, { type: 'failed', code })
  reputation.reached()
  expect(reputation.score(PEER, DIGEST)).toEqual(before)
  expect(reputation.state(PEER, DIGEST)).toBe(state)
}

test('an abort of the caller does not change the score', () => untouchedBy('aborted'))

test('an honest refusal with `busy` does not change the score', () => untouchedBy('busy'))

test('a version mismatch does not change the score', () => {
  untouchedBy('unsupported')
  const reputation = reputationAt(new TestClock())
  reputation.observe(PEER, DIGEST, complete())
  const state = reputation.state(PEER, DIGEST)
  reputation.observe(PEER, DIGEST, { type: 'incomparable' })
  expect(reputation.state(PEER, DIGEST)).toBe(state)
})

test("a loss of the client's own network does not change any score", () => {
  const clock = new TestClock()
  const reputation = reputationAt(clock)
  const peers = ['a', 'b', 'c', 'd']
  for (const peer of peers) reputation.observe(peer, DIGEST, complete())
  const states = peers.map((peer) => reputation.state(peer, DIGEST))
  // A stream is cut, and no peer can be dialled until the network is back.
  reputation.observe('a', DIGEST, { type: 'failed', code: 'stream_cut' })
  for (const peer of ['b', 'c', 'd']) {
    clock.pass(SECOND)
    reputation.observe(peer, DIGEST, { type: 'failed', code: 'dial_failed' })
  }
  clock.pass(5 * SECOND)
  reputation.reached()
  expect(peers.map((peer) => reputation.state(peer, DIGEST))).toEqual(states)
})

test('a peer is forgiven only once until it answers again, however many others fail with it', () => {
  const clock = new TestClock()
  const reputation = reputationAt(clock)
  const peers = ['a', 'b', 'c', 'd']
  const failAll = (): void => {
    for (const peer of peers) reputation.observe(peer, DIGEST, { type: 'failed', code: 'admission_timeout' })
    clock.pass(SECOND)
    reputation.reached()
  }
  const blamed = (): number[] => peers.map((peer) => reputation.state(peer, DIGEST).counts.silent?.count ?? 0)
  failAll()
  expect(blamed()).toEqual([0, 0, 0, 0])
  reputation.observe('a', DIGEST, complete())
  failAll()
  expect(blamed()).toEqual([0, 1, 1, 1])
})

test("while the client's network stays down, no peer is blamed", () => {
  const clock = new TestClock()
  const reputation = reputationAt(clock)
  reputation.observe(PEER, DIGEST, { type: 'failed', code: 'dial_timeout' })
  clock.pass(61 * SECOND)
  reputation.reached()
  expect(reputation.state(PEER, DIGEST).counts).toEqual({})
})

test('if one peer fails and another peer answers, the first is blamed', () => {
  const reputation = reputationAt(new TestClock())
  const before = reputation.score(PEER, DIGEST).reliabilityMean
  reputation.observe(PEER, DIGEST, { type: 'failed', code: 'stream_cut' })
  expect(reputation.score(PEER, DIGEST).reliabilityMean).toBe(before)
  reputation.observe('peer-b', DIGEST, complete())
  expect(reputation.score(PEER, DIGEST).reliabilityMean).toBeLessThan(before / 2)
  expect(reputation.state(PEER, DIGEST).counts.cut?.count).toBe(1)
})

test('several peers that cut their answers are all blamed, because each `accepted` is a sign of life', () => {
  const reputation = reputationAt(new TestClock())
  for (const peer of ['a', 'b', 'c', 'd']) {
    reputation.reached()
    reputation.observe(peer, DIGEST, { type: 'failed', code: 'stream_cut' })
  }
  for (const peer of ['a', 'b', 'c']) expect(reputation.state(peer, DIGEST).counts.cut?.count).toBe(1)
})

test('a failure counts at once if the peer itself reported or sent it', () => {
  const reputation = reputationAt(new TestClock())
  reputation.observe(PEER, DIGEST, { type: 'failed', code: 'engine_failed' })
  reputation.observe(PEER, DIGEST, { type: 'failed', code: 'protocol_violation' })
  expect(reputation.state(PEER, DIGEST).counts).toMatchObject({ crashed: { count: 1 }, violation: { count: 1 } })
})
