/** What the failure of a dial or of a request says about the peer. Only this file knows the names of libp2p's errors. */

/**
 * - `unsupported`: the peer answered, and does not speak the protocol.
 * - `closed`: the peer accepted the connection and closed it at once. A peer with too many connections does that.
 * - `unreachable`: no peer answered, or not in time.
 */
export type DialFailure = 'unsupported' | 'closed' | 'unreachable'

/** libp2p reports a connection that ends during its encryption under these names and codes. */
const CLOSED = new Set(['EncryptionFailedError', 'UnexpectedEOFError', 'ConnectionClosedError', 'StreamResetError'])
const CLOSED_CODES = new Set(['ECONNRESET', 'EPIPE'])
/** libp2p reports a peer that stays silent during the encryption under the same name, and without a cause. */
const SILENT = /abort|time/i
/** A chain of causes is shorter. The bound protects from a cycle. */
const MAX_CAUSES = 64

export function dialFailure(error: unknown): DialFailure {
  const all = causes(error)
  if (all.some(({ name }) => name === 'UnsupportedProtocolError')) return 'unsupported'
  const isClosed = all.some((one) => {
    const { name, message, code } = one as Error & { code?: unknown }
    return (CLOSED.has(name) && !SILENT.test(message)) || CLOSED_CODES.has(String(code))
  })
  return isClosed ? 'closed' : 'unreachable'
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
