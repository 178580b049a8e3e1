/** The lines that `potluck nodes PEER` prints. */
import { expect, test } from 'vitest'
import { audit, complete, DIGEST, reputationAt, SECOND, TestClock } from './help.ts'

const PEER = 'peer-a'

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
