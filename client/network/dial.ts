/** Opens a connection to a peer that may be reached directly, through a relay, or both. */
import type { Connection, Libp2p } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

import { DIRECT_HEAD_START_MS } from '../base/constants.ts'
import type { Dialable } from './network.ts'

/**
 * As browsers do between IPv6 and IPv4 (RFC 8305): the relay is asked beside a direct address that is
 * late. One behind a firewall, or of a machine that has moved, swallows what is sent to it, and libp2p
 * would wait for each of them in turn. A direct connection that comes later still is the next request's.
 *
 * @param headStartMs of the direct addresses
 * @throws whatever libp2p's dial throws, or an AggregateError of such
 */
export async function dial(
  libp2p: Pick<Libp2p, 'dial'>,
  { peerId, addresses }: Dialable,
  signal: AbortSignal,
  headStartMs: number = DIRECT_HEAD_START_MS
): Promise<Connection> {
  const suffix = `/p2p/${peerId.toString()}`
  const pinned = addresses.map((address) =>
    address.toString().endsWith(suffix) ? address : address.encapsulate(suffix)
  )
  const relayed = pinned.filter((address) => isRelayed(address))
  const direct = pinned.filter((address) => !isRelayed(address))
  if (relayed.length === 0 || direct.length === 0) {
    return await libp2p.dial(pinned.length > 0 ? pinned : peerId, { signal })
  }
  const arrived = new AbortController()
  const late = Promise.withResolvers<void>()
  const timer = setTimeout(late.resolve, headStartMs)
  const directly = dialDirectly(libp2p, peerId, direct, signal)
  directly.then(() => arrived.abort(new Error('directly connected')), late.resolve)
  const throughRelay = late.promise.then(
    async () => await libp2p.dial(relayed, { signal: AbortSignal.any([signal, arrived.signal]) })
  )
  try {
    return await Promise.any([directly, throughRelay])
  } finally {
    clearTimeout(timer)
  }
}

/** Without the peer's id in the dial: libp2p would take a second dial to the same id for a part of the first. */
async function dialDirectly(
  libp2p: Pick<Libp2p, 'dial'>,
  peerId: Dialable['peerId'],
  addresses: readonly Multiaddr[],
  signal: AbortSignal
): Promise<Connection> {
  const failures: unknown[] = []
  for (const address of addresses) {
    try {
      const connection = await libp2p.dial(address.decapsulate(`/p2p/${peerId.toString()}`), { signal })
      if (connection.remotePeer.equals(peerId)) return connection
      failures.push(new Error('another peer has this address'))
      await connection.close({ signal })
    } catch (cause) {
      signal.throwIfAborted()
      failures.push(cause)
    }
  }
  throw new AggregateError(failures, 'no direct address could be dialled')
}

function isRelayed(address: Multiaddr): boolean {
  return address.toString().includes('/p2p-circuit')
}
