/** Which provider records the store keeps and returns. Limits are small here, and randomness has a seed. */
import { peerIdFromMultihash } from '@libp2p/peer-id'
import type { PeerId } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { PROVIDER_SAMPLE, PROVIDER_TTL_MS } from '@potluck/protocol'
import { sha256 } from '@noble/hashes/sha2.js'
import { create as createMultihash } from 'multiformats/hashes/digest'
import { describe, expect, test } from 'vitest'

import type { ProviderLimits } from '../../../node/dht/limits.ts'
import { ProviderStore } from '../../../node/dht/provider-store.ts'
import { seeded } from '../../seeded.ts'

const ADDRESS = multiaddr('/ip4/1.2.3.4/tcp/4001').bytes

function peer(name: string | number): PeerId {
  return peerIdFromMultihash(createMultihash(0x12, sha256(new TextEncoder().encode(`${name}`))))
}

interface Fixture {
  store: ProviderStore
  clock: { now: number; reads: number }
  draws: () => number
  add: (key: string, name: string | number, subnet?: string) => void
  names: (key: string, count?: number) => string[]
}

function fixture(limits: Partial<ProviderLimits> = {}): Fixture {
  const clock = { now: 1_000_000, reads: 0 }
  const random = seeded(1)
  let draws = 0
  const store = new ProviderStore({
    now: () => {
      clock.reads++
      return clock.now
    },
    random: () => {
      draws++
      return random()
    },
    limits
  })
  return {
    store,
    clock,
    draws: () => draws,
    add: (key, name, subnet) => store.add(key, peer(name), [ADDRESS], subnet),
    names: (key, count = 10_000) => store.sample(key, count).map(({ peer: name }) => name)
  }
}

const hasPeer = (peers: readonly string[], name: string | number): boolean => peers.includes(peer(name).toString())

describe('a sample', () => {
  test('has the addresses of each record, and each provider once', () => {
    const { store, add } = fixture()
    expect(store.sample('key', 64)).toEqual([])
    add('other key', 'x')
    for (let index = 0; index < 10; index++) add('key', index)
    const sample = store.sample('key', 64)
    expect(new Set(sample.map(({ peer: name }) => name)).size).toBe(10)
    for (const { addresses } of sample) expect(addresses).toEqual([new Uint8Array(ADDRESS)])
    expect(store.sample('key', 3)).toHaveLength(3)
  })

  test('keeps only its own bytes in memory, and not the pool of Node in which a library allocated them', () => {
    const { store } = fixture()
    const pooled = Buffer.from(ADDRESS)
    expect(pooled.buffer.byteLength).toBeGreaterThan(ADDRESS.byteLength)
    store.add('key', peer('a'), [pooled], undefined)
    const [{ id, addresses } = { id: ADDRESS, addresses: [] }] = store.sample('key', 1)
    expect(id).toEqual(new Uint8Array(peer('a').toMultihash().bytes))
    for (const bytes of [id, ...addresses]) expect(bytes.buffer.byteLength).toBe(bytes.byteLength)
  })

  test('has every provider with the same chance, at every place', () => {
    const { add, names } = fixture()
    const providers = 200
    for (let index = 0; index < providers; index++) add('key', index)
    const chosen = new Map<string, number>()
    const first = new Map<string, number>()
    const rounds = 4_000
    for (let round = 0; round < rounds; round++) {
      const sample = names('key', PROVIDER_SAMPLE)
      for (const name of sample.map(String)) chosen.set(name, (chosen.get(name) ?? 0) + 1)
      first.set(String(sample[0]), (first.get(String(sample[0])) ?? 0) + 1)
    }
    // Chi-squared with 199 degrees of freedom exceeds 290 with a chance of 1 in 40,000.
    const chi = (counts: ReadonlyMap<string, number>, total: number): number => {
      const expected = total / providers
      return [...counts.values()].reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0)
    }
    expect(chosen.size).toBe(providers)
    expect(chi(chosen, rounds * PROVIDER_SAMPLE)).toBeLessThan(290)
    expect(chi(first, rounds)).toBeLessThan(290)
  })

  test('examines as many records for 20,000 records of the key as for 100', () => {
    const cost = (records: number): { sample: number; add: number } => {
      const { store, clock, draws, add } = fixture({ perKey: 50_000 })
      for (let index = 0; index < records; index++) add('key', index)
      // The store reads the clock once for each record that it examines.
      const measured = (work: () => unknown): number => {
        const before = clock.reads + draws()
        work()
        return clock.reads + draws() - before
      }
      return {
        sample: measured(() => store.sample('key', PROVIDER_SAMPLE)),
        add: measured(() => add('key', 'another'))
      }
    }
    expect(cost(100)).toEqual(cost(1_000))
    expect(cost(20_000)).toEqual(cost(1_000))
    expect(cost(20_000).sample).toBeLessThan(3 * PROVIDER_SAMPLE)
  })
})

describe('a record', () => {
  test('expires after its lifetime, unless its publisher renews it', () => {
    const { store, clock, add, names } = fixture()
    add('key', 'old')
    add('key', 'renewed')
    clock.now += PROVIDER_TTL_MS / 2
    add('key', 'renewed')
    clock.now += PROVIDER_TTL_MS / 2 - 1
    expect(names('key')).toHaveLength(2)
    clock.now += 1
    expect(names('key')).toEqual([peer('renewed').toString()])
    expect(store.size).toMatchObject({ records: 1, peers: 1 })
    clock.now += PROVIDER_TTL_MS
    expect(names('another key')).toEqual([])
    expect(store.size).toEqual({ records: 0, keys: 0, peers: 0, addressBytes: 0 })
  })

  test('of a wrong clock does not outlive the others', () => {
    const { clock, add, names } = fixture()
    clock.now += 365 * 24 * 3_600_000
    add('key', 'future')
    clock.now -= 365 * 24 * 3_600_000
    add('key', 'now')
    expect(names('key')).toEqual([peer('now').toString()])
    // A small correction of the clock removes nothing, and does not protect a record behind it in the queue.
    clock.now -= 60_000
    add('key', 'later')
    clock.now += PROVIDER_TTL_MS
    expect(names('key')).toEqual([peer('now').toString()])
    clock.now += 60_000
    expect(names('key')).toEqual([])
  })

  test('can be removed', () => {
    const { store, add, names } = fixture()
    add('key', 'a')
    add('key', 'b')
    store.remove('key', peer('a'))
    store.remove('key', peer('unknown'))
    expect(names('key')).toEqual([peer('b').toString()])
  })
})

describe('at a limit', () => {
  test('a peer loses its own oldest record', () => {
    const { store, add, names } = fixture({ perPeer: 3 })
    add('a', 'other')
    for (const key of ['a', 'b', 'c', 'd']) add(key, 'flood')
    expect(names('a')).toEqual([peer('other').toString()])
    for (const key of ['b', 'c', 'd']) expect(names(key)).toEqual([peer('flood').toString()])
    expect(store.size.records).toBe(4)
  })

  test('a subnet has a bounded number of records of a key, and the newest is one of them', () => {
    const { add, names } = fixture({ perSubnet: 5 })
    add('key', 'honest', '2.2.2.0/24')
    for (let index = 0; index < 1_000; index++) add('key', index, '1.1.1.0/24')
    const found = names('key')
    expect(found).toHaveLength(6)
    expect(hasPeer(found, 'honest') && hasPeer(found, 999)).toBe(true)
  })

  test('a private network has no limit by subnet', () => {
    const { add, names } = fixture({ perSubnet: 5 })
    for (let index = 0; index < 100; index++) add('key', index)
    expect(names('key')).toHaveLength(100)
  })

  test('a flood of a key from few subnets displaces only its own records', () => {
    const { add, names } = fixture({ perKey: 50, perSubnet: 20 })
    for (let index = 0; index < 25; index++) add('key', `honest ${index}`, `2.2.${index}.0/24`)
    for (let index = 0; index < 2_000; index++) add('key', index, `1.1.${index % 5}.0/24`)
    const found = names('key')
    expect(found).toHaveLength(50)
    for (let index = 0; index < 25; index++) expect(hasPeer(found, `honest ${index}`)).toBe(true)
  })

  test('a flood of many keys from one subnet displaces only its own records', () => {
    const { store, add, names } = fixture({ records: 200 })
    for (let index = 0; index < 50; index++) add('key', `honest ${index}`, `2.2.${index}.0/24`)
    for (let index = 0; index < 5_000; index++) add(`key ${index}`, index, '1.1.1.0/24')
    expect(store.size.records).toBe(200)
    expect(names('key')).toHaveLength(50)
  })

  test('long addresses displace long addresses', () => {
    const { store, add, names } = fixture({ addressBytes: 10_000 })
    for (let index = 0; index < 50; index++) add('key', `honest ${index}`, `2.2.${index}.0/24`)
    for (let index = 0; index < 500; index++) {
      store.add(`key ${index}`, peer(index), Array(16).fill(new Uint8Array(256)), '1.1.1.0/24')
    }
    expect(store.size.addressBytes).toBeLessThanOrEqual(10_000)
    expect(names('key')).toHaveLength(50)
  })

  test('expired records go first', () => {
    const { clock, add, names } = fixture({ records: 10, perKey: 10 })
    for (let index = 0; index < 5; index++) add('key', `old ${index}`, `2.2.${index}.0/24`)
    clock.now += PROVIDER_TTL_MS
    for (let index = 0; index < 10; index++) add('key', index, '1.1.1.0/24')
    expect(names('key')).toHaveLength(10)
  })

  test.each<[string, Partial<ProviderLimits>]>([
    ['by peer', { perPeer: 1 }],
    ['by subnet', { perSubnet: 4 }],
    ['by key', { perKey: 4 }],
    ['of all records', { records: 4 }]
  ])('%s, a renewal succeeds and displaces nothing', (_, limits) => {
    const { add, names } = fixture(limits)
    for (let index = 0; index < 4; index++) add('key', index, '1.1.1.0/24')
    for (let round = 0; round < 3; round++) for (let index = 0; index < 4; index++) add('key', index, '1.1.1.0/24')
    expect(names('key')).toHaveLength(4)
  })
})
