/**
 * Advertises the public addresses of a relay's network interfaces.
 *
 * libp2p does not advertise a public address until four other peers have dialled it (AutoNAT). The first relay of a
 * network has no such peers, and would advertise loopback only. A relay is always meant to be reachable, so its
 * interfaces' addresses count as confirmed.
 *
 * A node does not do this. Its machine may have a public address behind a firewall, and clients would dial that address
 * without success. Clients reach the node through relays until its owner announces an address.
 */
import type { Libp2pEvents, TypedEventTarget } from '@libp2p/interface'
import { getThinWaistAddresses, isLoopback, isNetworkAddress, isPrivate } from '@libp2p/utils'
import { multiaddr, type Multiaddr } from '@multiformats/multiaddr'

/** The libp2p components that the service needs. */
interface Components {
  addressManager: { confirmObservedAddr: (address: Multiaddr, options: { type: 'transport' }) => void }
  transportManager: { getAddrs: () => Multiaddr[] }
  events: TypedEventTarget<Libp2pEvents>
}

/** The libp2p service of a relay. */
export function ownAddresses({ addressManager, transportManager, events }: Components): object {
  events.addEventListener('transport:listening', () => {
    for (const address of transportManager.getAddrs()) {
      if (isPublic(address)) addressManager.confirmObservedAddr(address, { type: 'transport' })
    }
  })
  return {}
}

/**
 * Whether an address in the list is public, or is a wildcard such as 0.0.0.0 on a machine with a public address. In
 * most home networks every machine has a public IPv6 address behind a firewall, and a private IPv4 address. So a public
 * IPv6 address counts only if no address of IPv4 is private, except for loopback.
 *
 * @param expand returns the addresses of this machine for a wildcard
 */
export function listensInPublic(
  listen: readonly string[],
  expand: (address: Multiaddr) => Multiaddr[] = getThinWaistAddresses
): boolean {
  const own = listen
    .map((address) => multiaddr(address))
    .filter((address) => isNetworkAddress(address))
    .flatMap((address) => expand(address))
  const isIpv6 = (address: Multiaddr): boolean => address.toString().startsWith('/ip6')
  const lan = own.filter((address) => !isIpv6(address) && !isLoopback(address) && !isPublic(address))
  return own.some((address) => isPublic(address) && (lan.length === 0 || !isIpv6(address)))
}

function isPublic(address: Multiaddr): boolean {
  return isNetworkAddress(address) && !isPrivate(address)
}
