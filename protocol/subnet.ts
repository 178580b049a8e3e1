/**
 * The subnet of an address. One attacker can have millions of peer ids, but only addresses of a few subnets. So the
 * limits of what a peer remembers apply to subnets.
 */
import { isPrivate } from '@libp2p/utils'
import type { Multiaddr } from '@multiformats/multiaddr'
import { toString } from 'uint8arrays/to-string'

/** Multicodecs of the address families, and the bytes of an address that its owner cannot choose: /24 and /48. */
const FAMILIES: ReadonlyMap<number, number> = new Map([
  [4, 3],
  [41, 6]
])

/**
 * A text that is equal for all addresses of a subnet: a /24 of IPv4, or a /48 of IPv6, which one customer of a provider
 * can have. Addresses behind one relay are a subnet too. Undefined for a private address, because all peers of a LAN
 * share its subnet, and for an address with a name.
 *
 * @param address for a limit, the address of a connection. A peer can claim any address in its card
 */
export function subnetOf(address: Multiaddr): string | undefined {
  const { bytes } = address
  const length = FAMILIES.get(bytes[0] ?? 0)
  if (length === undefined || isPrivate(address)) return undefined
  const relayed = address.toString().includes('/p2p-circuit')
  return `${relayed ? 'relay ' : ''}${toString(bytes.subarray(0, 1 + length), 'hex')}`
}

/** Whether the addresses of this subnet are behind a relay. */
export function isRelayedSubnet(subnet: string): boolean {
  return subnet.startsWith('relay ')
}
