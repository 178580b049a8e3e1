/**
 * Bounds the addresses that libp2p's peer store keeps of a peer. The store has no limit, a peer can send thousands in
 * identify, and each write compares all of them with each other: 16,000 addresses block the process for seconds.
 */
import type { PeerData, PeerId, PeerStore } from '@libp2p/interface'

/** A machine with containers has ten interfaces, and two ports at each. libp2p dials at most 25 addresses of a peer. */
const MAX_STORED_ADDRESSES = 64
/** Protocols of a peer. A node has about 12, a peer of another implementation some dozens. */
const MAX_STORED_PROTOCOLS = 64

/** The libp2p service. The peer's own entry has no bound. */
export function boundedPeerStore({ peerStore, peerId }: { peerStore: PeerStore; peerId: PeerId }): object {
  const save = peerStore.save.bind(peerStore)
  const patch = peerStore.patch.bind(peerStore)
  const merge = peerStore.merge.bind(peerStore)
  const isOwn = (peer: PeerId): boolean => peer.equals(peerId)
  peerStore.save = async (peer, data, options) => await save(peer, isOwn(peer) ? data : bounded(data), options)
  peerStore.patch = async (peer, data, options) => await patch(peer, isOwn(peer) ? data : bounded(data), options)
  peerStore.merge = async (peer, data, options) => {
    if (isOwn(peer) || !addsAddresses(data)) return await merge(peer, data, options)
    const known = await peerStore.get(peer, options).catch(() => undefined)
    return await merge(peer, bounded(data, MAX_STORED_ADDRESSES - (known?.addresses.length ?? 0)), options)
  }
  return {}
}

/** At its bound, the store keeps the addresses that it has: identify, which replaces them, comes from the peer itself. */
function bounded(data: PeerData, room: number = MAX_STORED_ADDRESSES): PeerData {
  const { addresses, multiaddrs, protocols } = data
  return {
    ...data,
    ...(addresses === undefined ? {} : { addresses: addresses.slice(0, Math.max(0, room)) }),
    ...(multiaddrs === undefined ? {} : { multiaddrs: multiaddrs.slice(0, Math.max(0, room)) }),
    ...(protocols === undefined ? {} : { protocols: protocols.slice(0, MAX_STORED_PROTOCOLS) })
  }
}

function addsAddresses({ addresses = [], multiaddrs = [] }: PeerData): boolean {
  return addresses.length + multiaddrs.length > 0
}
