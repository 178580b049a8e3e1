import type { PeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'

/** The addresses with the peer id at the end, so that no other peer can answer there. */
export function pinned(peerId: PeerId, addresses: readonly Multiaddr[]): Multiaddr[] {
  const suffix = `/p2p/${peerId.toString()}`
  return addresses.map((one) => (one.toString().endsWith(suffix) ? one : one.encapsulate(suffix)))
}
