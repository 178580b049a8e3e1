/** Walks, shards and messages of the DHT, over peers in memory. */
import { peerIdFromMultihash } from '@libp2p/peer-id'
import type { PeerId } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import {
  anyNodeCid,
  decodeKadReply,
  decodeKadRequest,
  depthsToTry,
  encodeAddProvider,
  encodeKadMessage,
  encodeKadRequest,
  estimateServers,
  kadId,
  MERGE_AT,
  nextDepth,
  PotluckError,
  PROVIDER_SAMPLE,
  publishedDepths,
  randomShards,
  shardCid,
  shardOf,
  SPLIT_AT,
  walk,
  type KadPeer,
  type Topic
} from '@potluck/protocol'
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { create as createMultihash } from 'multiformats/hashes/digest'
import { sha256 } from '@noble/hashes/sha2.js'
import { xor } from 'uint8arrays/xor'
import { compare } from 'uint8arrays/compare'
import { describe, expect, test } from 'vitest'

import { KadMessageSchema } from '../../../protocol/messages/kad_pb.ts'

const never = new AbortController().signal
const K = 20

function peer(index: number): PeerId {
  return peerIdFromMultihash(createMultihash(0x12, sha256(new TextEncoder().encode(`peer ${index}`))))
}

/** A network in which every peer knows the 20 peers closest to any key among its routing table of 200 random peers. */
function network(size: number): { peers: KadPeer[]; closer: (of: KadPeer, target: Uint8Array) => KadPeer[] } {
  const peers = Array.from({ length: size }, (_, index) => ({ peerId: peer(index), addresses: [] }))
  const ids = new Map(peers.map((one) => [one.peerId.toString(), kadId(one.peerId)]))
  const near = (from: readonly KadPeer[], target: Uint8Array): KadPeer[] =>
    from
      .map((one) => ({ one, distance: xor(ids.get(one.peerId.toString())!, target) }))
      .sort((a, b) => compare(a.distance, b.distance))
      .slice(0, K)
      .map(({ one }) => one)
  // A Kademlia table: up to 20 peers for every length of the common prefix.
  const tables = new Map<string, KadPeer[]>()
  const table = (of: KadPeer): KadPeer[] => {
    const own = ids.get(of.peerId.toString())!
    const buckets = new Map<number, KadPeer[]>()
    for (const one of peers) {
      const distance = xor(ids.get(one.peerId.toString())!, own)
      const byte = distance.findIndex((value) => value !== 0)
      if (byte < 0) continue
      const prefix = byte * 8 + Math.clz32(distance[byte]!) - 24
      const bucket = buckets.get(prefix) ?? []
      if (bucket.length < K) buckets.set(prefix, [...bucket, one])
    }
    return [...buckets.values()].flat()
  }
  return {
    peers,
    closer: (of, target) => {
      const name = of.peerId.toString()
      const known = tables.get(name) ?? table(of)
      tables.set(name, known)
      return near(known, target)
    }
  }
}

describe('a walk', () => {
  const { peers, closer } = network(1_000)
  const target = sha256(anyNodeCid().multihash.bytes)
  const nearest = peers
    .map(({ peerId }) => ({ name: peerId.toString(), distance: xor(kadId(peerId), target) }))
    .sort((a, b) => compare(a.distance, b.distance))
    .slice(0, K)
    .map(({ name }) => name)
  const sleep = async (_ms: number, signal: AbortSignal): Promise<void> => {
    await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))
  }

  test('ends with the 20 peers of 1,000 that are closest to the key, nearest first', async () => {
    let requests = 0
    const ask = async (one: KadPeer): Promise<{ closer: KadPeer[] }> => {
      requests++
      return { closer: closer(one, target) }
    }
    const steps = walk(target, { start: peers.slice(0, 3), ask, sleep, signal: never })
    let step = await steps.next()
    while (!step.done) step = await steps.next()
    expect(step.value.map(({ peer: one }) => one.peerId.toString())).toEqual(nearest)
    expect(requests).toBeLessThan(60)
    expect(estimateServers(step.value.map(({ distance }) => distance))).toBeGreaterThan(300)
    expect(estimateServers(step.value.map(({ distance }) => distance))).toBeLessThan(3_000)
  })

  test('goes on beside silent peers, and leaves failed ones out', async () => {
    const silent = new Set(nearest.slice(0, 5))
    const ask = async (one: KadPeer, signal: AbortSignal): Promise<{ closer: KadPeer[] }> => {
      const name = one.peerId.toString()
      if (silent.has(name)) {
        // A timeout, after all peers that reply at once.
        await new Promise((resolve) => setImmediate(resolve))
        signal.throwIfAborted()
        throw new Error('no reply')
      }
      return { closer: closer(one, target) }
    }
    const found: string[] = []
    const steps = walk(target, { start: peers.slice(0, 3), ask, sleep, signal: never })
    let step = await steps.next()
    for (; !step.done; step = await steps.next()) found.push(step.value.from.peerId.toString())
    expect(step.value.map(({ peer: one }) => one.peerId.toString())).not.toContain(nearest[0])
    expect(step.value).toHaveLength(K)
    expect(found).toEqual(expect.arrayContaining(nearest.slice(5)))
  })

  test('a liar that invents closer and closer peers costs 100 requests', async () => {
    let invented = 0
    const ask = async (): Promise<{ closer: KadPeer[] }> => ({
      closer: Array.from({ length: K }, () => ({ peerId: peer(1_000_000 + invented++), addresses: [] }))
    })
    let requests = 0
    const counted = async (): Promise<{ closer: KadPeer[] }> => {
      requests++
      return await ask()
    }
    for await (const _ of walk(target, { start: peers.slice(0, 3), ask: counted, sleep, signal: never }));
    expect(requests).toBeLessThanOrEqual(100)
  })

  test('a consumer that breaks out cancels the requests', async () => {
    const cancelled: boolean[] = []
    const ask = async (one: KadPeer, signal: AbortSignal): Promise<{ closer: KadPeer[] }> => {
      if (one === peers[0]) return { closer: closer(one, target) }
      const aborted = new Promise<never>((_, reject) => {
        signal.addEventListener('abort', () => {
          cancelled.push(true)
          reject(signal.reason)
        })
      })
      return await aborted
    }
    for await (const _ of walk(target, { start: peers.slice(0, 3), ask, sleep, signal: never })) break
    expect(cancelled.length).toBeGreaterThan(0)
  })
})

describe('shards', () => {
  const topics: Topic[] = [
    { kind: 'nodes' },
    { kind: 'digest', digest: new Uint8Array(32).fill(7) },
    { kind: 'name', name: 'Qwen' }
  ]

  test('depth 0 is the key of the topic itself, and every shard has its own key', () => {
    expect(shardCid({ kind: 'nodes' }, '')).toEqual(anyNodeCid())
    const keys = topics.flatMap((topic) =>
      ['', '0', '1', '01', '10'].map((prefix) => shardCid(topic, prefix).toString())
    )
    expect(new Set(keys).size).toBe(keys.length)
    expect(shardCid({ kind: 'name', name: 'qwen' }, '1')).toEqual(shardCid({ kind: 'name', name: 'QWEN' }, '1'))
  })

  test('a node belongs to one shard of each depth, inside its shard of the depth above', () => {
    const id = peer(5)
    for (let depth = 1; depth <= 16; depth++) expect(shardOf(id, depth).startsWith(shardOf(id, depth - 1))).toBe(true)
    expect(randomShards(2, 9, Math.random).toSorted()).toEqual(['00', '01', '10', '11'])
    expect(randomShards(0, 3, Math.random)).toEqual([''])
  })

  test('every node publishes at an even depth, which clients try', () => {
    for (let depth = 0; depth <= 16; depth++) {
      for (let population = 1; population <= SPLIT_AT; population++) {
        const published = publishedDepths(depth, population)
        expect(published[0]).toBe(depth)
        expect(published.some((one) => one % 2 === 0 && one <= 16)).toBe(true)
      }
    }
    expect(publishedDepths(0, 30)).toEqual([0])
    expect(publishedDepths(2, 40)).toEqual([2, 3])
    expect(publishedDepths(2, 14)).toEqual([2, 1])
  })

  test.each([10, 100, 1_000, 10_000, 100_000])(
    'with %d nodes the depth settles, a client finds it, and a shard fits into a few replies',
    (nodes) => {
      let depth = 0
      for (let round = 0; round < 20; round++) depth = nextDepth(depth, nodes / 2 ** depth)
      const population = nodes / 2 ** depth
      expect(nextDepth(depth, population)).toBe(depth)
      expect(population).toBeLessThan(SPLIT_AT)
      if (depth > 0) expect(population).toBeGreaterThan(MERGE_AT)
      const published = publishedDepths(depth, population)
      expect([0, ...depthsToTry(nodes)].some((tried) => published.includes(tried))).toBe(true)
    }
  )
})

describe('messages', () => {
  test('a request has the key as a multihash, as libp2p expects', () => {
    const message = fromBinary(KadMessageSchema, encodeKadRequest('get_providers', anyNodeCid()))
    expect(message).toMatchObject({ type: 3, key: anyNodeCid().multihash.bytes })
  })

  test('a request is read as it was sent', () => {
    const one = peer(1)
    const provider = { peerId: one, addresses: [multiaddr('/ip4/192.0.2.1/tcp/1')] }
    expect(decodeKadRequest(encodeAddProvider(anyNodeCid(), provider))).toEqual({
      type: 'ADD_PROVIDER',
      key: anyNodeCid().multihash.bytes,
      closer: [],
      providers: [{ id: one.toMultihash().bytes, multiaddrs: [multiaddr('/ip4/192.0.2.1/tcp/1').bytes] }]
    })
    const put = { type: 'PUT_VALUE', key: Uint8Array.of(1), record: Uint8Array.of(2), clusterLevel: -1 }
    expect(decodeKadRequest(encodeKadMessage(put))).toEqual({ ...put, closer: [], providers: [] })
  })

  test.each([
    ['providers', { providers: Array.from({ length: 5 }, () => ({})) }],
    ['closer peers', { closer: Array.from({ length: 5 }, () => ({})) }],
    ['an unknown type', { type: 6 }]
  ])('a request with %s is refused', (_, message) => {
    expect(() => decodeKadRequest(toBinary(KadMessageSchema, create(KadMessageSchema, message)))).toThrow(PotluckError)
  })

  test('a request keeps only the addresses that a record can have', () => {
    const multiaddrs = Array.from({ length: 1_000 }, () => multiaddr('/ip4/192.0.2.1/tcp/1').bytes)
    const message = create(KadMessageSchema, { type: 2, providers: [{ id: peer(1).toMultihash().bytes, multiaddrs }] })
    const [provider] = decodeKadRequest(toBinary(KadMessageSchema, message)).providers
    expect(provider?.multiaddrs).toHaveLength(16)
  })

  test('a reply with 20,000 providers is read as a random sample, and invalid peers are dropped', () => {
    const providers = Array.from({ length: 20_000 }, (_, index) => ({
      id: peer(index % 2_000).toMultihash().bytes,
      multiaddrs: [multiaddr('/ip4/192.0.2.1/tcp/1').bytes, Uint8Array.of(255, 255)]
    }))
    const bytes = toBinary(
      KadMessageSchema,
      create(KadMessageSchema, { providers, closer: [{ id: Uint8Array.of(1, 2, 3), multiaddrs: [] }] })
    )
    const first = decodeKadReply(bytes)
    expect(first.closer).toEqual([])
    expect(first.providers).toHaveLength(PROVIDER_SAMPLE)
    expect(first.providers.every(({ addresses }) => addresses.length === 1)).toBe(true)
    const second = decodeKadReply(bytes)
    expect(second.providers.map(String)).toHaveLength(PROVIDER_SAMPLE)
    expect(
      second.providers[0]?.peerId.equals(first.providers[0]!.peerId) &&
        second.providers[1]?.peerId.equals(first.providers[1]!.peerId)
    ).toBe(false)
  })

  test('a reply cannot make its reader decode more peers and addresses than it returns', () => {
    const many = (of: readonly number[]): Uint8Array =>
      Uint8Array.from(Array.from({ length: 200_000 }, () => of).flat())
    // Empty peers among closer servers and among providers, and a message that ends inside a field.
    expect(decodeKadReply(many([0x42, 0]))).toEqual({ closer: [], providers: [] })
    expect(decodeKadReply(many([0x4a, 0]))).toEqual({ closer: [], providers: [] })
    expect(() => decodeKadReply(Uint8Array.of(0x4a, 5))).toThrow(PotluckError)
    // One peer with 200,000 empty addresses, which are dropped.
    const id = peer(1).toMultihash().bytes
    const crowded = Uint8Array.from([0x0a, id.length, ...id, ...many([0x12, 0])])
    const length = [0x80 | (crowded.length & 0x7f), 0x80 | ((crowded.length >> 7) & 0x7f), crowded.length >> 14]
    const reply = decodeKadReply(Uint8Array.from([0x4a, ...length, ...crowded]))
    expect(reply.providers.map(({ peerId }) => peerId.toString())).toEqual([peer(1).toString()])
    expect(reply.providers[0]?.addresses.length).toBeLessThanOrEqual(16)
  })
})
