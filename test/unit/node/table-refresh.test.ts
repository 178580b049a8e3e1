/** What a refresh of the routing table asks, and whom it adds. The network is in memory. */
import { peerIdFromMultihash } from '@libp2p/peer-id'
import type { PeerId } from '@libp2p/interface'
import { kadId, kadTarget, type KadPeer } from '@potluck/protocol'
import { create as createMultihash } from 'multiformats/hashes/digest'
import { compare } from 'uint8arrays/compare'
import { xor } from 'uint8arrays/xor'
import { expect, test } from 'vitest'

import { ADDED_PER_BUCKET, REFRESHED_FROM_LEVEL } from '../../../node/dht/limits.ts'
import { refreshTable, type RefreshedTable } from '../../../node/dht/table-refresh.ts'
import { seeded } from '../../seeded.ts'

const random = seeded(4)
const never = new AbortController().signal

function peers(count: number): KadPeer[] {
  return Array.from({ length: count }, () => {
    const bytes = Uint8Array.from({ length: 32 }, () => Math.floor(random() * 256))
    return { peerId: peerIdFromMultihash(createMultihash(0x12, bytes)), addresses: [] }
  })
}

function nearest(all: readonly KadPeer[], id: Uint8Array, count: number): KadPeer[] {
  const distance = ({ peerId }: KadPeer): Uint8Array => xor(kadId(peerId), id)
  return all.toSorted((a, b) => compare(distance(a), distance(b))).slice(0, count)
}

function commonBits(a: PeerId, b: PeerId): number {
  const bits = xor(kadId(a), kadId(b)).reduce((text, byte) => text + byte.toString(2).padStart(8, '0'), '')
  return bits.indexOf('1')
}

test('a refresh asks one peer of each bucket that few peers reach, and adds a few unknown peers to it', async () => {
  const all = peers(4_000)
  const self = all[0]!.peerId
  const known = all.filter((_, index) => index % 4 === 1)
  const isKnown = new Set(known.map(({ peerId }) => peerId.toString()))
  const asked: number[] = []
  const added: PeerId[] = []
  const table: RefreshedTable = {
    self,
    closest: (id, count) => nearest(known, id, count),
    has: (peer) => isKnown.has(peer.toString()),
    unseen: () => [],
    ask: async (peer, key) => {
      asked.push(commonBits(self, peer.peerId))
      return nearest(all, kadTarget(key), 20)
    },
    connect: async ({ peerId }) => void added.push(peerId),
    remove: () => undefined,
    random
  }
  await refreshTable(table, never)
  const [, ...levels] = asked
  // A network of 4,000 has peers on about 12 levels.
  expect(levels.length).toBeGreaterThanOrEqual(5)
  expect(levels).toEqual(levels.map((_, index) => REFRESHED_FROM_LEVEL + index))
  expect(added.length).toBeGreaterThan(levels.length)
  expect(added.length).toBeLessThanOrEqual(ADDED_PER_BUCKET * asked.length)
  expect(added.every((peer) => !isKnown.has(peer.toString()) && !peer.equals(self))).toBe(true)
})

test('a neighbour that was not seen for hours stays if it answers, and is removed if not', async () => {
  const [own, live, gone] = peers(3)
  const removed: PeerId[] = []
  const table: RefreshedTable = {
    self: own!.peerId,
    closest: () => [],
    has: () => true,
    unseen: () => [live!, gone!],
    ask: async () => [],
    connect: async (peer) => {
      if (peer === gone) throw new Error('gone')
    },
    remove: (peer) => void removed.push(peer),
    random
  }
  await refreshTable(table, never)
  expect(removed).toEqual([gone!.peerId])
})
