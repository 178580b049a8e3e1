import { ERROR_POLICY } from '@potluck/protocol'
import { expect, test } from 'vitest'

import { FAILING_RELIABILITY } from '../../../client/select/constants.ts'
import { DIGEST, reputationAt, SECOND, TestClock } from './help.ts'

test.each(Object.entries(ERROR_POLICY))(
  '%s has a penalty only if the fault is with the node or the network',
  (_code, { fault, penalty }) => {
    expect(penalty !== undefined).toBe(fault === 'node' || fault === 'network')
  }
)

test('one failed check of a vector makes an unknown node the last choice, although its reply counted as complete', () => {
  const clock = new TestClock()
  const reputation = reputationAt(clock)
  reputation.observe('peer', DIGEST, { type: 'served', work: 'embeddings' })
  clock.at += SECOND
  reputation.observe('peer', DIGEST, { type: 'checked', agreed: false })
  expect(reputation.score('peer', DIGEST).reliabilityMean).toBeLessThan(FAILING_RELIABILITY)
})
