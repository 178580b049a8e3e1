/** Finds connections whose other end is gone, and aborts them. */
import type { Connection } from '@libp2p/interface'

import { SILENT_CONNECTION_MS } from '../constants.ts'
import { deadline } from '../deadline.ts'

/**
 * Every libp2p peer can be asked for a stream of this protocol. A peer without it refuses, and that is an answer too.
 */
const PING_PROTOCOL = '/ipfs/ping/1.0.0'

/**
 * Asks every connection for a stream, and aborts those on which nothing answers in time. Returns the connections that
 * work.
 */
export async function abortSilent(
  connections: readonly Connection[],
  signal: AbortSignal,
  timeoutMs: number = SILENT_CONNECTION_MS
): Promise<Connection[]> {
  const checked = connections.map(async (connection) =>
    (await answers(connection, signal, timeoutMs)) ? connection : undefined
  )
  return (await Promise.all(checked)).filter((connection) => connection !== undefined)
}

async function answers(connection: Connection, signal: AbortSignal, timeoutMs: number): Promise<boolean> {
  const until = deadline(timeoutMs, signal)
  try {
    const stream = await connection.newStream(PING_PROTOCOL, { signal: until, runOnLimitedConnection: true })
    stream.abort(new Error('the peer has answered'))
    return true
  } catch (cause) {
    if (signal.aborted) return false
    if (!until.aborted) return connection.status === 'open'
    connection.abort(new Error('the peer does not answer', { cause }))
    return false
  }
}
