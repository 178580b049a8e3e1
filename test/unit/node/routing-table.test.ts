/** Which peers the routing table of the real `@libp2p/kad-dht` holds. The host is not started, so it dials nobody. */
import { identify } from '@libp2p/identify'
import type { PeerId } from '@libp2p/interface'
import { kadDHT } from '@libp2p/kad-dht'
import { peerIdFromMultihash } from '@libp2p/peer-id'
import { ping } from '@libp2p/ping'
import { kadId, kadOptions } from '@potluck/protocol'
import { createLibp2p } from 'libp2p'
import { create as createMultihash } from 'multiformats/hashes/digest'
import { compare } from 'uint8arrays/compare'
import { xor } from 'uint8arrays/xor'
import { expect, test } from 'vitest'

import { UNSEEN_MS } from '../../../node/dht/limits.ts'
import { keepNeighbours, type KBucket } from '../../../node/dht/routing-table.ts'
import { seeded } from '../../seeded.ts'

const random = seeded(1)

function peers(count: number): PeerId[] {
  return Array.from({ length: count }, () =>
    peerIdFromMultihash(
      createMultihash(
        0x12,
        Uint8Array.from({ length: 32 }, () => Math.floor(random() * 256))
      )
    )
  )
}

interface Table {
  self: PeerId
  add: (peer: PeerId, options: { connected: boolean }) => Promise<void>
  holds: (peer: PeerId) => boolean
  /** Peers that the table dialled before it added them. */
  dialled: PeerId[]
  size: () => number
  clock: { now: number }
}

async function table(): Promise<Table> {
  const host = await createLibp2p({
    start: false,
    services: { identify: identify(), ping: ping(), dht: kadDHT(kadOptions({ scope: 'local' })) }
  })
  const { kb } = (host.services.dht as unknown as { routingTable: { kb: FullKBucket } }).routingTable
  await kb.addSelfPeer(host.peerId)
  const dialled: PeerId[] = []
  const clock = { now: Date.now() }
  let connected = false
  kb.verify = async ({ peerId }) => {
    if (!connected) dialled.push(peerId)
    return true
  }
  kb.onAdd = kb.onRemove = async () => undefined
  keepNeighbours(host.services.dht, { levels: 3, isConnected: () => connected, now: () => clock.now })
  return {
    self: host.peerId,
    add: async (peer, options) => {
      ;({ connected } = options)
      await kb.add(peer)
    },
    holds: (peer) => kb.get(kadId(peer)) !== undefined,
    dialled,
    size: () => kb.count(),
    clock
  }
}

interface FullKBucket extends KBucket {
  verify: (contact: { peerId: PeerId }) => Promise<boolean>
  onAdd: () => Promise<void>
  onRemove: () => Promise<void>
  add: (peer: PeerId) => Promise<void>
  addSelfPeer: (peer: PeerId) => Promise<void>
  count: () => number
}

test('a server among 5,000 knows its 20 neighbours, and few of the others', async () => {
  const { self, add, holds, size } = await table()
  const all = peers(5_000)
  for (const peer of all) await add(peer, { connected: true })
  const distance = (peer: PeerId): Uint8Array => xor(kadId(peer), kadId(self))
  const neighbours = all.toSorted((a, b) => compare(distance(a), distance(b))).slice(0, 20)
  expect(neighbours.filter((peer) => !holds(peer))).toEqual([])
  // 8 buckets of 20, and one more for each bit of depth.
  expect(size()).toBeLessThan(400)
})

test('a peer that others name is dialled only while its bucket is less than half full', async () => {
  const { add, dialled } = await table()
  for (const peer of peers(5_000)) await add(peer, { connected: false })
  expect(dialled.length).toBeLessThan(300)
})

test('in a full bucket, a connected peer replaces one that was not seen for hours, and nobody is dialled', async () => {
  const { add, holds, dialled, size, clock } = await table()
  for (const peer of peers(2_000)) await add(peer, { connected: true })
  const before = size()
  const late = peers(200)
  for (const peer of late) await add(peer, { connected: true })
  const entered = late.filter(holds).length
  clock.now += UNSEEN_MS + 1
  for (const peer of late) await add(peer, { connected: true })
  expect(entered).toBeLessThan(10)
  expect(size()).toBeGreaterThanOrEqual(before)
  expect(dialled).toEqual([])
})
