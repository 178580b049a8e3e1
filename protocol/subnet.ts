/** Groups addresses by the network that one person can easily own, so that limits count owners and not addresses. */
import { isPrivate } from '@libp2p/utils'
import type { Multiaddr } from '@multiformats/multiaddr'

/** Codes in the multicodec table. */
const IP4 = 0x04
const IP6 = 0x29
/** `::ffff:0:0/96`: IPv4 addresses on a socket for both families. */
const MAPPED = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]

/**
 * Returns the IPv4 /24 or the IPv6 /48 of a public address. For a DNS name it returns the domain. For a relayed address
 * it returns the relay's subnet. For a private address it returns undefined, because a LAN or a testnet is one subnet.
 */
export function subnetOf(address: Multiaddr): string | undefined {
  if (isPrivate(address)) return undefined
  const [code, ...ip] = address.bytes.subarray(0, 17)
  if (code === IP4) return ip4Subnet(ip)
  if (code === IP6) return MAPPED.every((byte, index) => ip[index] === byte) ? ip4Subnet(ip.slice(12)) : ip6Subnet(ip)
  const [first] = address.getComponents()
  return first?.name.startsWith('dns') === true ? first.value?.toLowerCase().split('.').slice(-2).join('.') : undefined
}

function ip4Subnet(ip: readonly number[]): string {
  return `${ip.slice(0, 3).join('.')}.0/24`
}

function ip6Subnet(ip: readonly number[]): string {
  const groups = [0, 2, 4].map((at) => (ip[at]! * 256 + ip[at + 1]!).toString(16))
  return `${groups.join(':')}::/48`
}
