/**
 * Refreshes the routing table of `@libp2p/kad-dht` from time to time. `boundedKadDht` has ended the library's own
 * refresh.
 */
import type { Libp2p, PeerId } from '@libp2p/interface'
import type { KadDHT } from '@libp2p/kad-dht'
import { askKad, kadId, pinned, type KadPeer } from '@potluck/protocol'

import { TABLE_REFRESH_MS, UNSEEN_MS } from './limits.ts'
import { neighboursOf, type TableOwner } from './routing-table.ts'
import { refreshTable, type RefreshedTable } from './table-refresh.ts'

type TableHost = Pick<Libp2p, 'peerId' | 'dial' | 'dialProtocol' | 'getConnections' | 'addEventListener'> & {
  services: { dht: KadDHT }
}

/**
 * The caller starts the host afterwards. The refresh ends when the host stops.
 *
 * @throws Error if another version of the library is installed, whose private parts differ
 */
export function keepTableFresh(host: TableHost): void {
  const { routingTable } = host.services.dht as unknown as TableOwner
  if (typeof routingTable?.closestPeers !== 'function' || typeof routingTable.remove !== 'function') {
    throw new Error(
      'cannot refresh the routing table of @libp2p/kad-dht: its private parts differ from version 16.4.5; install that version'
    )
  }
  const stopped = new AbortController()
  const table = tableOf(host, routingTable)
  let running: Promise<void> | undefined
  const timer = setInterval(() => {
    running ??= refreshTable(table, stopped.signal).finally(() => {
      running = undefined
    })
  }, TABLE_REFRESH_MS)
  timer.unref()
  host.addEventListener('stop', () => {
    clearInterval(timer)
    stopped.abort()
  })
}

/** An interface of the refresh to the library's table. */
function tableOf(host: TableHost, table: NonNullable<TableOwner['routingTable']>): RefreshedTable {
  const isConnected = (peer: PeerId): boolean => host.getConnections(peer).length > 0
  // libp2p looks up the addresses of these peers.
  const known = (peerId: PeerId): KadPeer => ({ peerId, addresses: [] })
  return {
    self: host.peerId,
    closest: (id, count) => table.closestPeers(id, { count }).map(known),
    has: (peer) => table.kb.get(kadId(peer)) !== undefined,
    unseen: () =>
      neighboursOf(table.kb)
        .filter(({ peerId, lastPing }) => !isConnected(peerId) && Date.now() - lastPing > UNSEEN_MS)
        .map(({ peerId }) => known(peerId)),
    ask: async (peer, key, signal) => (await askKad(host, peer, { request: 'find_node', key }, signal)).closer,
    connect: async ({ peerId, addresses }, signal) =>
      await host.dial(addresses.length > 0 ? pinned(peerId, addresses) : peerId, { signal }),
    remove: (peer) => void table.remove(peer).catch(() => undefined),
    random: Math.random
  }
}
