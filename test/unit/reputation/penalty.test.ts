import { ERROR_POLICY, type ErrorCode } from '@potluck/protocol'
import { expect, test } from 'vitest'
import { penaltyOf } from '../../../client/reputation/penalty.ts'

test.each(Object.entries(ERROR_POLICY))(
  '%s has a penalty only if the fault is with the node or the network',
  (code, { fault }) => {
    const expected = fault === 'node' || fault === 'network'
    expect(penaltyOf(code as ErrorCode) !== undefined).toBe(expected)
  }
)
