/** Saved peers: their limits, their age, and both stores. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

import { generateKeyPair } from '@libp2p/crypto/keys'
import type { PeerId } from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'

import {
  MAX_SAVED_ADDRESSES,
  MAX_SAVED_FAILURES,
  MAX_SAVED_PEERS,
  MAX_SAVED_PER_RELAY,
  MAX_SAVED_PER_SUBNET,
  SAVE_AGAIN_MS,
  SAVED_PEER_MS
} from '../../../client/base/constants.ts'
import { PeerBook } from '../../../client/peers/peer-book.ts'
import { MemoryPeerStore, type PeerStore } from '../../../client/peers/peer-store.ts'
import { SqlitePeerStore } from '../../../client/platform/node-peer-store.ts'
import { NOW } from '../select/help.ts'

let directory: string
let path: string
let now: number
let errors: Error[]

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'potluck-peers-'))
  path = join(directory, 'peers.sqlite')
  now = NOW
  errors = []
})

afterEach(() => rmSync(directory, { recursive: true }))

function open(store: PeerStore): PeerBook {
  return new PeerBook({ store, onStoreError: (error) => errors.push(error), now: () => now })
}

function saved(book: PeerBook): string[] {
  return book.peers(Math.random).map(({ peerId }) => peerId.toString())
}

async function newPeer(): Promise<PeerId> {
  return peerIdFromPrivateKey(await generateKeyPair('Ed25519'))
}

const at = (text: string): ReturnType<typeof multiaddr>[] => [multiaddr(text)]

test.each(['memory', 'sqlite'])('%s: a saved peer is there again for two weeks', async (kind) => {
  const memory = new MemoryPeerStore()
  const store = (): PeerStore => (kind === 'memory' ? memory : new SqlitePeerStore(path))
  const peer = await newPeer()
  const first = open(store())
  first.seen(peer, [...at('/ip4/203.0.113.7/tcp/4001'), ...at('/ip6/2001:db8::7/tcp/4001')])
  first.close()
  now += SAVED_PEER_MS
  const second = open(store())
  const [found] = second.peers(Math.random)
  expect([found?.peerId.toString(), found?.addresses.map(String)]).toEqual([
    peer.toString(),
    ['/ip4/203.0.113.7/tcp/4001', '/ip6/2001:db8::7/tcp/4001']
  ])
  second.close()
  now += 1
  const third = open(store())
  expect(third.size).toBe(0)
  third.close()
  expect(errors).toEqual([])
})

test('the book holds only some peers of a subnet, more behind a relay, and no limit applies to a LAN', async () => {
  const book = open(new MemoryPeerStore())
  const add = async (count: number, address: (index: number) => string): Promise<void> => {
    for (let index = 0; index < count; index++) book.seen(await newPeer(), at(address(index)))
  }
  await add(MAX_SAVED_PER_SUBNET + 5, (index) => `/ip4/93.184.216.${index}/tcp/4001`)
  expect(book.size).toBe(MAX_SAVED_PER_SUBNET)
  const relay = await newPeer()
  await add(MAX_SAVED_PER_RELAY + 5, () => `/ip4/93.184.220.1/tcp/4001/p2p/${relay.toString()}/p2p-circuit`)
  expect(book.size).toBe(MAX_SAVED_PER_SUBNET + MAX_SAVED_PER_RELAY)
  await add(50, (index) => `/ip4/192.168.1.${index}/tcp/4001`)
  expect(book.size).toBe(MAX_SAVED_PER_SUBNET + MAX_SAVED_PER_RELAY + 50)
})

test('a full book drops the peer that was seen least recently', async () => {
  const store = new MemoryPeerStore()
  const book = open(store)
  const oldest = await newPeer()
  book.seen(oldest, at('/ip4/192.168.0.1/tcp/1'))
  for (let index = 0; index < MAX_SAVED_PEERS; index++) {
    now += 1
    book.seen(await newPeer(), at('/ip4/192.168.0.2/tcp/1'))
  }
  expect(saved(book)).not.toContain(oldest.toString())
  expect(book.size).toBe(MAX_SAVED_PEERS)
  expect(store.load()).toHaveLength(MAX_SAVED_PEERS)
})

test('a peer is written again when its addresses change, or after some time', async () => {
  const store = new MemoryPeerStore()
  const book = open(store)
  const peer = await newPeer()
  book.seen(peer, at('/ip4/192.168.0.1/tcp/1'))
  now += SAVE_AGAIN_MS - 1
  book.seen(peer, at('/ip4/192.168.0.1/tcp/1'))
  expect(store.load()[0]?.seenAt).toBe(NOW)
  book.seen(peer, at('/ip4/192.168.0.1/tcp/2'))
  expect(store.load()[0]).toMatchObject({ seenAt: now, addresses: ['/ip4/192.168.0.1/tcp/2'] })
  now += SAVE_AGAIN_MS
  book.seen(peer, [])
  expect(store.load()[0]).toMatchObject({ seenAt: now, addresses: ['/ip4/192.168.0.1/tcp/2'] })
})

test('a peer that fails again and again while others answer is forgotten; an answer resets the count', async () => {
  const book = open(new MemoryPeerStore())
  const peer = await newPeer()
  const fail = (times: number): void => {
    for (let index = 0; index < times; index++) book.failed(peer.toString())
  }
  book.seen(peer, at('/ip4/192.168.0.1/tcp/1'))
  fail(MAX_SAVED_FAILURES - 1)
  book.seen(peer, [])
  fail(MAX_SAVED_FAILURES - 1)
  expect(book.size).toBe(1)
  fail(1)
  expect(book.size).toBe(0)
})

test('recent peers come first, and the number of addresses is limited', async () => {
  const book = open(new MemoryPeerStore())
  const old = await newPeer()
  const many = Array.from({ length: 20 }, (_, index) => multiaddr(`/ip4/192.168.0.${index}/tcp/1`))
  book.seen(old, many)
  now += SAVED_PEER_MS / 2
  const recent = await newPeer()
  book.seen(recent, at('/ip4/192.168.0.1/tcp/1'))
  expect(saved(book)).toEqual([recent.toString(), old.toString()])
  expect(book.peers(Math.random)[1]?.addresses).toHaveLength(MAX_SAVED_ADDRESSES)
})

test('sqlite: damaged rows are dropped', async () => {
  const good = (await newPeer()).toString()
  new SqlitePeerStore(path).close()
  const database = new DatabaseSync(path)
  const insert = database.prepare('INSERT INTO peers VALUES (?, ?, ?)')
  insert.run(good, '/ip4/192.168.0.1/tcp/1\nnonsense', NOW)
  insert.run('nobody', '/ip4/192.168.0.1/tcp/1', NOW)
  insert.run((await newPeer()).toString(), 'nonsense', NOW)
  insert.run((await newPeer()).toString(), '/ip4/192.168.0.1/tcp/1', 1e300)
  database.close()
  const book = open(new SqlitePeerStore(path))
  expect(saved(book)).toEqual([good])
  expect(errors).toEqual([])
  book.close()
})

test('sqlite: a file that is not a database is refused; a store that fails later costs only the saving', async () => {
  writeFileSync(path, 'This text is not a database.'.repeat(50))
  expect(() => new SqlitePeerStore(path)).toThrow('not a database')
  const store = new SqlitePeerStore(join(directory, 'other.sqlite'))
  const book = open(store)
  store.close()
  const peer = await newPeer()
  book.seen(peer, at('/ip4/192.168.0.1/tcp/1'))
  expect(saved(book)).toEqual([peer.toString()])
  expect(errors).toHaveLength(1)
})

test('sqlite: two processes can have the file open', async () => {
  const first = open(new SqlitePeerStore(path))
  const second = open(new SqlitePeerStore(path))
  first.seen(await newPeer(), at('/ip4/192.168.0.1/tcp/1'))
  second.seen(await newPeer(), at('/ip4/192.168.0.1/tcp/1'))
  expect(errors).toEqual([])
  first.close()
  second.close()
  const third = open(new SqlitePeerStore(path))
  expect(third.size).toBe(2)
  third.close()
})

test('peers behind four relays do not displace the others', async () => {
  const book = open(new MemoryPeerStore())
  const honest = await Promise.all(Array.from({ length: 24 }, newPeer))
  for (const [index, peer] of honest.entries()) book.seen(peer, at(`/ip4/5.9.${index}.7/tcp/4001`))
  const relay = await newPeer()
  for (let key = 0; key < 4 * MAX_SAVED_PER_RELAY + 20; key++) {
    now += 1000
    book.seen(await newPeer(), at(`/ip4/8.8.${key % 4}.8/tcp/4001/p2p/${relay.toString()}/p2p-circuit`))
  }
  expect(book.size).toBe(MAX_SAVED_PEERS)
  expect(saved(book)).toEqual(expect.arrayContaining(honest.map(String)))
})

test('only the addresses at which peers answered say which network it is', async () => {
  const book = open(new MemoryPeerStore())
  book.seen(await newPeer(), [...at('/ip4/192.168.1.7/tcp/4001'), ...at('/ip4/8.8.8.8/tcp/4001')])
  expect(book.addresses().map(String)).toEqual(['/ip4/192.168.1.7/tcp/4001'])
})

test('a database that another process locks delays no write', async () => {
  const store = new SqlitePeerStore(path)
  const book = open(store)
  const other = new DatabaseSync(path)
  other.exec('BEGIN IMMEDIATE')
  const startedAt = performance.now()
  for (let index = 0; index < 10; index++) book.seen(await newPeer(), at(`/ip4/5.9.${index}.7/tcp/4001`))
  expect(performance.now() - startedAt).toBeLessThan(1_000)
  expect([errors.length, book.size]).toEqual([0, 10])
  other.exec('ROLLBACK')
  other.close()
  book.seen(await newPeer(), at('/ip4/5.9.10.7/tcp/4001'))
  await vi.waitUntil(() => store.load().length === 11)
  book.close()
})
