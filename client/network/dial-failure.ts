/**
 * What the failure of a dial or of a request says about the peer. Only this file knows the names and messages of
 * libp2p's errors.
 */

/**
 * - `unsupported`: something answered, and it does not speak the protocol.
 * - `other_peer`: the peer that answered has another peer id.
 * - `closed`: the peer accepted the connection and closed it at once. A peer with too many connections does that.
 * - `refused`: nothing listens at the address.
 * - `unknown_name`: DNS does not know the name in the address.
 * - `no_transport`: the address is not one of TCP or WebSocket.
 * - `unreachable`: no peer answered, or not in time.
 */
export type DialFailure =
  | 'unsupported'
  | 'other_peer'
  | 'closed'
  | 'refused'
  | 'unknown_name'
  | 'no_transport'
  | 'unreachable'

/** libp2p reports a connection that ends under these names. */
const CLOSED = new Set(['UnexpectedEOFError', 'ConnectionClosedError', 'StreamResetError'])
const BY_CODE: Readonly<Record<string, DialFailure>> = {
  ECONNRESET: 'closed',
  EPIPE: 'closed',
  ECONNREFUSED: 'refused',
  ENOTFOUND: 'unknown_name',
  EAI_AGAIN: 'unknown_name'
}
/** A chain of causes is shorter. The bound protects from a cycle. */
const MAX_CAUSES = 64

export function dialFailure(error: unknown): DialFailure {
  const all = causes(error)
  const named = (names: ReadonlySet<string>): boolean => all.some(({ name }) => names.has(name))
  if (named(new Set(['UnsupportedProtocolError']))) return 'unsupported'
  const encryption = all.find(({ name }) => name === 'EncryptionFailedError')
  if (encryption !== undefined) return encryptionFailure(encryption)
  if (named(CLOSED)) return 'closed'
  if (named(new Set(['NoValidAddressesError']))) return 'no_transport'
  for (const one of all) {
    const failure = BY_CODE[String((one as { code?: unknown }).code)]
    if (failure !== undefined) return failure
  }
  return 'unreachable'
}

/** libp2p keeps only the message of the error that ended the encryption. */
function encryptionFailure({ message }: Error): DialFailure {
  if (/does not match expected remote identity key/.test(message)) return 'other_peer'
  if (/timeout|aborted/i.test(message)) return 'unreachable'
  // The bytes were not a message of the handshake. A server of another protocol, such as HTTP, sends such bytes.
  return /while reading [1-9]\d*\/\d+ bytes/.test(message) ? 'unsupported' : 'closed'
}

function causes(error: unknown): Error[] {
  const found: Error[] = []
  const waiting = [error]
  while (waiting.length > 0 && found.length < MAX_CAUSES) {
    const next = waiting.shift()
    if (!(next instanceof Error)) continue
    found.push(next)
    waiting.push(next.cause, ...(next instanceof AggregateError ? next.errors : []))
  }
  return found
}
