/** The publisher's network over libp2p. */
import { setTimeout as sleep } from 'node:timers/promises'

import type { Peer } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { addProvider, askKad, KAD_PEER_TAG, KAD_PROTOCOL, type KadPeer, type Scope } from '@potluck/protocol'

import { recordKey } from '../dht/provider-handlers.ts'
import type { Host } from '../network/libp2p.ts'
import { selectAddresses } from './card.ts'
import type { TopicNetwork } from './find-depth.ts'

/** @param share see `TopicNetwork` */
export function topicNetwork(host: Host, scope: Scope, share: TopicNetwork['share']): TopicNetwork {
  const self = (): KadPeer => {
    const addresses = selectAddresses(host.getMultiaddrs().map(String), scope)
    return { peerId: host.peerId, addresses: addresses.map((address) => multiaddr(address)) }
  }
  // The routing table lists a new peer only after a ping.
  const isServer = ({ id, tags, protocols }: Peer): boolean =>
    tags.has(KAD_PEER_TAG) || (protocols.includes(KAD_PROTOCOL) && host.getConnections(id).length > 0)
  return {
    servers: async () => {
      const peers = await host.peerStore.all({ filters: [isServer] })
      return peers.map(({ id, addresses }) => ({
        peerId: id,
        addresses: addresses.map((address) => address.multiaddr)
      }))
    },
    ask: async (server, request, signal) => await askKad(host, server, request, signal),
    add: async (server, key, signal) => await addProvider(host, server, { key, provider: self() }, signal),
    keep: (key) => {
      const { peerId, addresses } = self()
      const bytes = addresses.map((address) => address.bytes)
      host.services.providers.add(recordKey(key.multihash.bytes), peerId, bytes, undefined)
    },
    share,
    sleep: async (ms, signal) => await sleep(ms, undefined, { signal, ref: false }),
    random: Math.random
  }
}
