/**
 * What a relay knows of itself. libp2p tells nobody of a public address before four strangers have
 * dialled it (AutoNAT); the first relay of a network has none, and would give its peers nothing but
 * loopback. Whoever starts a relay says that it can be reached, so its interfaces' addresses count.
 *
 * A node does not say so: a machine with a public address behind a firewall would send its callers
 * there in vain. It is reached through relays, until its owner announces an address.
 */
import type { Libp2pEvents, TypedEventTarget } from '@libp2p/interface'
import { getThinWaistAddresses, isNetworkAddress, isPrivate } from '@libp2p/utils'
import { multiaddr, type Multiaddr } from '@multiformats/multiaddr'

/** Of libp2p's, what is needed here. */
interface Components {
  addressManager: { confirmObservedAddr: (address: Multiaddr, options: { type: 'transport' }) => void }
  transportManager: { getAddrs: () => Multiaddr[] }
  events: TypedEventTarget<Libp2pEvents>
}

/** A libp2p service. */
export function ownAddresses({ addressManager, transportManager, events }: Components): object {
  events.addEventListener('transport:listening', () => {
    for (const address of transportManager.getAddrs()) {
      if (isPublic(address)) addressManager.confirmObservedAddr(address, { type: 'transport' })
    }
  })
  return {}
}

/** Whether one of these is public, or stands for all interfaces of a machine that has a public one. */
export function listensInPublic(listen: readonly string[]): boolean {
  return listen
    .map((address) => multiaddr(address))
    .filter((address) => isNetworkAddress(address))
    .some((address) => getThinWaistAddresses(address).some(isPublic))
}

function isPublic(address: Multiaddr): boolean {
  return isNetworkAddress(address) && !isPrivate(address)
}
