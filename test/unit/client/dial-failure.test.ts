/** What the failure of a dial says about the peer. The messages are those of the pinned libp2p. */
import { expect, test } from 'vitest'

import { dialFailure } from '../../../client/network/dial-failure.ts'

function failed(name: string, message: string): Error {
  return Object.assign(new Error(message), { name })
}

function failedWith(code: string): Error {
  return Object.assign(new Error('the dial failed'), { code })
}

test.each([
  [
    'a server that is silent',
    failed('EncryptionFailedError', 'The operation was aborted due to timeout'),
    'unreachable'
  ],
  [
    'an HTTP server',
    failed('EncryptionFailedError', 'Unexpected EOF - stream closed while reading 27/72 bytes'),
    'unsupported'
  ],
  [
    'a peer that closes',
    failed('EncryptionFailedError', 'Unexpected EOF - stream closed while reading 0/2 bytes'),
    'closed'
  ],
  ['a peer that resets', failed('EncryptionFailedError', 'read ECONNRESET'), 'closed'],
  [
    'another peer',
    failed('EncryptionFailedError', 'Payload identity key A does not match expected remote identity key B'),
    'other_peer'
  ],
  ['a port where nothing listens', failedWith('ECONNREFUSED'), 'refused'],
  ['a name that DNS does not know', failedWith('ENOTFOUND'), 'unknown_name'],
  ['an address of UDP', failed('NoValidAddressesError', 'no valid addresses'), 'no_transport'],
  ['a peer without the protocol', failed('UnsupportedProtocolError', 'no protocol'), 'unsupported'],
  ['something else', 'a string', 'unreachable']
])('%s', (_, error, expected) => {
  expect(dialFailure(error)).toBe(expected)
  expect(dialFailure(new AggregateError([new Error('all failed', { cause: error })]))).toBe(expected)
})
