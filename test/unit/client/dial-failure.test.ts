import { expect, test } from 'vitest'

import { dialFailure } from '../../../client/network/dial-failure.ts'

function named(name: string, message: string, cause?: unknown): Error {
  return Object.assign(new Error(message, { cause }), { name })
}

test.each([
  ['unsupported', named('UnsupportedProtocolError', 'no protocol')],
  ['closed', named('EncryptionFailedError', 'Encryption failed')],
  ['closed', new Error('the node could not be reached', { cause: named('UnexpectedEOFError', 'Unexpected EOF') })],
  ['closed', Object.assign(new Error('read'), { code: 'ECONNRESET' })],
  // A peer that accepts the connection and then says nothing, for example because its process is stopped.
  ['unreachable', named('EncryptionFailedError', 'The operation was aborted due to timeout')],
  ['unreachable', named('TimeoutError', 'The operation was aborted due to timeout')]
])('%s: %s', (failure, error) => {
  expect(dialFailure(error)).toBe(failure)
  expect(dialFailure(new AggregateError([error], 'no direct address could be dialled'))).toBe(failure)
})
