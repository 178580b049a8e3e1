/** Opens a connection to a peer directly, through a relay, or both at once. */
import type { Connection, Libp2p } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

import { DIRECT_HEAD_START_MS } from '../base/constants.ts'
import type { Dialable } from './network.ts'

/**
 * Dials the direct addresses first and the relayed ones after a head start, as RFC 8305 does for IPv6 and IPv4. Without
 * the relayed dial, the client could wait long: an address behind a firewall, or of a machine that has moved, drops
 * every packet, and libp2p waits for each such address in turn. If the relayed connection opens first, the direct dial
 * continues, and later requests use its connection.
 *
 * @param headStartMs milliseconds after which the relayed addresses are dialled too
 * @throws the errors of libp2p's dial, or an AggregateError of them
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

/** Dials without the peer id, because libp2p would merge a second dial to the same id into the first. */
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
