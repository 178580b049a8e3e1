/**
 * Makes `@libp2p/kad-dht` refresh its routing table less often. Every five minutes it walks to each bucket, up to 16 of
 * them, with about 30 new connections for each walk. The simulator shows 5 to 40 MB an hour for each node, most of what
 * the network costs (docs/scale.md). A node's own publications walk through the network anyway.
 *
 * The library has no option for the interval, so this file changes a private part of its pinned version.
 */
import type { KadDHT } from '@libp2p/kad-dht'

import { TABLE_REFRESH_MS } from './limits.ts'

interface RefreshParts {
  routingTableRefresh: { refreshInterval: number }
}

/**
 * The caller starts the DHT afterwards. Its first refresh is at the start.
 *
 * @throws Error if another version of the library is installed, whose private parts differ
 */
export function refreshSeldom(dht: KadDHT): void {
  const { routingTableRefresh } = dht as unknown as Partial<RefreshParts>
  if (typeof routingTableRefresh?.refreshInterval !== 'number') {
    throw new Error(
      'cannot change the table refresh of @libp2p/kad-dht: its private parts differ from version 16.4.5; install that version'
    )
  }
  routingTableRefresh.refreshInterval = TABLE_REFRESH_MS
}
