import { ERROR_TRAITS, type ErrorCode } from '@potluck/protocol'
import { expect, test } from 'vitest'
import { penaltyOf } from '../../../client/reputation/penalty.ts'

test.each(Object.entries(ERROR_TRAITS))(
  '%s has a penalty only if the node or the network failed',
  (code, { fault }) => {
    const expected = fault === 'node' || fault === 'network'
    expect(penaltyOf(code as ErrorCode) !== undefined).toBe(expected)
  }
)
