/** The addresses of a peer in libp2p's peer store, over a stub of the store. */
import type { PeerData, PeerId, PeerStore } from '@libp2p/interface'
import { peerIdFromMultihash } from '@libp2p/peer-id'
import { multiaddr, type Multiaddr } from '@multiformats/multiaddr'
import { sha256 } from '@noble/hashes/sha2.js'
import { boundedPeerStore } from '@potluck/protocol'
import { create as createMultihash } from 'multiformats/hashes/digest'
import { expect, test } from 'vitest'

function peer(name: string): PeerId {
  return peerIdFromMultihash(createMultihash(0x12, sha256(new TextEncoder().encode(name))))
}

function addresses(count: number): Multiaddr[] {
  return Array.from({ length: count }, (_, port) => multiaddr(`/ip4/5.9.0.1/tcp/${port + 1}`))
}

function store(known: number): { peerStore: PeerStore; written: PeerData[] } {
  const written: PeerData[] = []
  const write = async (_: PeerId, data: PeerData): Promise<void> => void written.push(data)
  const get = async (): Promise<unknown> => ({ addresses: addresses(known) })
  const peerStore = { save: write, patch: write, merge: write, get } as unknown as PeerStore
  boundedPeerStore({ peerStore, peerId: peer('self') })
  return { peerStore, written }
}

test.each(['save', 'patch'] as const)('%s keeps the first addresses and protocols', async (method) => {
  const { peerStore, written } = store(0)
  const protocols = Array.from({ length: 1_000 }, (_, index) => `/${index}`)
  const certified = addresses(1_000).map((one) => ({ multiaddr: one, isCertified: true }))
  await peerStore[method](peer('a'), { addresses: certified, protocols, metadata: {} })
  expect(written).toEqual([{ addresses: certified.slice(0, 64), protocols: protocols.slice(0, 64), metadata: {} }])
})

test.each([
  [0, 64],
  [60, 4],
  [64, 0],
  [100, 0]
])('beside %d addresses, %d more are stored', async (known, expected) => {
  const { peerStore, written } = store(known)
  await peerStore.merge(peer('a'), { multiaddrs: addresses(1_000) })
  expect(written[0]?.multiaddrs).toHaveLength(expected)
})

test("the peer's own entry has no bound", async () => {
  const { peerStore, written } = store(64)
  await peerStore.merge(peer('self'), { multiaddrs: addresses(100) })
  await peerStore.patch(peer('self'), { multiaddrs: addresses(100) })
  expect(written.map(({ multiaddrs }) => multiaddrs?.length)).toEqual([100, 100])
})
