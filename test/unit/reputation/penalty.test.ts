import { ERROR_POLICY } from '@potluck/protocol'
import { expect, test } from 'vitest'

test.each(Object.entries(ERROR_POLICY))(
  '%s has a penalty only if the fault is with the node or the network',
  (_code, { fault, penalty }) => {
    expect(penalty !== undefined).toBe(fault === 'node' || fault === 'network')
  }
)
