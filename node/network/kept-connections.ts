/** Which idle connections of a host must be noticed when they die: without them, no peer reaches the host. */
import type { Connection } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

/** Returns the peer ids of the relays at which the host has a reservation, from its own addresses. */
export function relaysOf(addresses: readonly Multiaddr[]): Set<string> {
  return new Set(addresses.flatMap((address) => /\/p2p\/([^/]+)\/p2p-circuit/u.exec(address.toString())?.[1] ?? []))
}

/** Whether the host keeps this connection: to a relay with its reservation, or to a peer that its owner named. */
export function keepsConnection(
  { remotePeer, direction }: Pick<Connection, 'remotePeer' | 'direction'>,
  { addresses, named }: { addresses: readonly Multiaddr[]; named: ReadonlySet<string> }
): boolean {
  const peer = remotePeer.toString()
  return direction === 'outbound' && (named.has(peer) || relaysOf(addresses).has(peer))
}
