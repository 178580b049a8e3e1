/**
 * The subnet of an address. One attacker can have millions of peer ids, but only addresses of a few subnets. So the
 * limits of what a peer remembers apply to subnets.
 */
import { isPrivate } from '@libp2p/utils'
import type { Multiaddr } from '@multiformats/multiaddr'
import { toString } from 'uint8arrays/to-string'

/**
 * Multicodecs of the address families, and the bytes of an address that its owner cannot choose. Subnets: a /24 of
 * IPv4, or a /48 of IPv6, which anybody can have from a tunnel broker. Hosts: one address of IPv4, or a /56 of IPv6,
 * which a provider gives to a household.
 */
const FAMILIES: ReadonlyMap<number, { subnet: number; host: number }> = new Map([
  [4, { subnet: 3, host: 4 }],
  [41, { subnet: 6, host: 7 }]
])

/** The keys of the networks that an address is in, the widest first. A subnet contains many hosts. */
export interface Networks {
  subnet: string
  host: string
}

/**
 * A text that is equal for all addresses of a subnet: a /24 of IPv4, or a /48 of IPv6, which one customer of a provider
 * can have. Addresses behind one relay are a subnet too. Undefined for a private address, because all peers of a LAN
 * share its subnet, and for an address with a name.
 *
 * @param address for a limit, the address of a connection. A peer can claim any address in its card
 */
export function subnetOf(address: Multiaddr): string | undefined {
  const networks = networksOf(address)
  return networks === undefined || isPrivate(address) ? undefined : networks.subnet
}

/**
 * The networks of any address, also of a private one. Undefined for an address with a name, and for one without IP.
 *
 * @param address as for `subnetOf`. All addresses behind one relay are on the relay's host
 */
export function networksOf(address: Multiaddr): Networks | undefined {
  const { bytes } = address
  const lengths = FAMILIES.get(bytes[0] ?? 0)
  if (lengths === undefined) return undefined
  const relayed = address.toString().includes('/p2p-circuit') ? 'relay ' : ''
  const key = (length: number): string => `${relayed}${toString(bytes.subarray(0, 1 + length), 'hex')}`
  return { subnet: key(lengths.subnet), host: key(lengths.host) }
}

/** Whether the addresses of this subnet are behind a relay. */
export function isRelayedSubnet(subnet: string): boolean {
  return subnet.startsWith('relay ')
}
