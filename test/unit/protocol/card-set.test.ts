/** The set of cards that a peer passes on: what it keeps, and what it samples. */
import { peerIdFromMultihash } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { CARD_TTL_MS, CardSet, subnetOf, type Card } from '@potluck/protocol'
import { identity } from 'multiformats/hashes/identity'
import { describe, expect, test } from 'vitest'

import { xorshift } from './mutate.ts'
import { testCard } from '../../peers/card.ts'

const START = 1_800_000_000_000
const MINUTE = 60_000
const alone = { isConnected: () => false }

function card(index: number, changes: Partial<Card> = {}): Card {
  const key = new Uint8Array(36)
  key.set([8, 1, 18, 32])
  new DataView(key.buffer).setUint32(32, index)
  return testCard(peerIdFromMultihash(identity.digest(key)), {
    sequence: START,
    expiresAt: START + CARD_TTL_MS,
    addresses: ['/ip4/203.0.113.7/tcp/4001'],
    models: [{} as Card['models'][number]],
    ...changes
  })
}

const bytes = new Uint8Array(1024)
const id = (index: number): string => card(index).peerId.toString()
/** Addresses in `count` different subnets. */
const address = (index: number): ReturnType<typeof multiaddr> => {
  return multiaddr(`/ip4/${20 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}.1/tcp/4001`)
}

function setup(): { set: CardSet; clock: { now: number }; sampled: (count?: number) => string[] } {
  const clock = { now: START }
  const random = xorshift(7)
  const set = new CardSet({ now: () => clock.now, random: () => random() / 2 ** 32 })
  return { set, clock, sampled: (count = 8) => set.sample(count, alone).map(({ card: one }) => one.peerId.toString()) }
}

describe('a sample', () => {
  test('has nodes that were seen recently or are connected', () => {
    const { set, clock, sampled } = setup()
    for (const index of [1, 2, 3]) set.add(card(index), bytes, address(index))
    clock.now += 16 * MINUTE
    set.seen(id(2))
    expect(sampled()).toEqual([id(2)])
    const connected = set.sample(8, { isConnected: (peer) => peer === id(3) })
    expect(connected.map(({ card: one }) => one.peerId.toString()).toSorted()).toEqual([id(2), id(3)].toSorted())
  })

  test('has no node that shuts down, serves nothing, has no address or whose card expired', () => {
    const { set, clock, sampled } = setup()
    set.add(card(1), bytes)
    set.add(card(1, { draining: true, sequence: START + 1, models: [] }), bytes)
    expect(set.has(id(1))).toBe(false)
    set.add(card(2, { models: [] }), bytes)
    set.add(card(3, { addresses: [] }), bytes)
    set.add(card(4, { expiresAt: START + MINUTE }), bytes)
    set.add(card(5), bytes)
    clock.now += MINUTE
    expect(sampled()).toEqual([id(5)])
    expect(set.size).toBe(4)
  })

  test('omits the peer that receives it, and nodes that were dropped', () => {
    const { set } = setup()
    for (const index of [1, 2, 3]) set.add(card(index), bytes, address(index))
    set.drop(id(1))
    expect(set.sample(8, { ...alone, except: id(2) }).map(({ card: one }) => one.peerId.toString())).toEqual([id(3)])
  })

  test('has at most two nodes of a public subnet, four behind a relay, and any number of a LAN', () => {
    const { set, sampled } = setup()
    for (let index = 0; index < 6; index++) set.add(card(index), bytes, multiaddr(`/ip4/20.1.1.${index}/tcp/4001`))
    expect(sampled()).toHaveLength(2)
    for (let index = 10; index < 16; index++) {
      set.add(card(index), bytes, multiaddr(`/ip4/20.2.2.2/tcp/4001/p2p/${id(9)}/p2p-circuit`))
    }
    expect(sampled()).toHaveLength(6)
    for (let index = 20; index < 30; index++) set.add(card(index), bytes, multiaddr('/ip4/192.168.1.2/tcp/4001'))
    expect(sampled(16)).toHaveLength(16)
  })

  test('stays small even if the cards are large', () => {
    const { set } = setup()
    for (let index = 0; index < 20; index++) set.add(card(index), new Uint8Array(16 * 1024), address(index))
    const size = set.sample(8, alone).reduce((sum, entry) => sum + entry.bytes.byteLength, 0)
    expect(size).toBeLessThanOrEqual(24 * 1024)
  })

  test('gives every node the same chance', () => {
    const { set, sampled } = setup()
    const nodes = 40
    for (let index = 0; index < nodes; index++) set.add(card(index), bytes, address(index))
    const counts = new Map<string, number>()
    const rounds = 4000
    for (let round = 0; round < rounds; round++) {
      for (const peer of sampled()) counts.set(peer, (counts.get(peer) ?? 0) + 1)
    }
    const expected = (rounds * 8) / nodes
    expect(counts.size).toBe(nodes)
    // Five standard deviations of a binomial distribution.
    for (const count of counts.values()) expect(Math.abs(count - expected)).toBeLessThan(5 * Math.sqrt(expected))
  })
})

describe('the set', () => {
  test('keeps its other nodes when one subnet sends thousands of cards', () => {
    const { set, sampled } = setup()
    for (let index = 0; index < 30; index++) set.add(card(index), bytes, address(index))
    const attacker = 100_000
    for (let index = 0; index < 5_000; index++) {
      set.add(card(attacker + index), bytes, multiaddr(`/ip4/45.9.8.${index % 256}/tcp/4001`))
    }
    expect(set.size).toBe(38)
    for (let index = 0; index < 30; index++) expect(set.has(id(index))).toBe(true)
    for (let round = 0; round < 100; round++) {
      expect(
        sampled().filter((peer) => !Array.from({ length: 30 }, (_, n) => id(n)).includes(peer)).length
      ).toBeLessThan(3)
    }
  })

  test('keeps nodes of other subnets when one attacker has many relays', () => {
    const { set } = setup()
    for (let index = 0; index < 24; index++) set.add(card(index), bytes, address(index))
    for (let index = 0; index < 300; index++) {
      set.add(card(1000 + index), bytes, multiaddr(`/ip4/8.8.${index % 4}.8/tcp/4001/p2p-circuit`))
    }
    expect(set.size).toBe(256)
    expect(Array.from({ length: 24 }, (_, index) => set.has(id(index)))).not.toContain(false)
  })

  test('is bounded, and forgets the node that it saw least recently', () => {
    const { set } = setup()
    for (let index = 0; index < 256; index++) set.add(card(index), bytes, address(index))
    set.seen(id(0))
    set.add(card(256), bytes, address(256))
    expect(set.size).toBe(256)
    expect([set.has(id(0)), set.has(id(1)), set.has(id(256))]).toEqual([true, false, true])
  })

  test('keeps the card with the highest sequence', () => {
    const { set } = setup()
    set.add(card(1, { sequence: START + 2 }), bytes)
    set.add(card(1, { sequence: START + 1 }), bytes)
    expect(set.sample(1, alone)[0]?.card.sequence).toBe(START + 2)
  })

  test('restores entries of an earlier run, but none that is weeks old', () => {
    const { set, clock, sampled } = setup()
    for (const index of [1, 2, 3]) {
      set.add(card(index), bytes, address(index))
      clock.now += MINUTE
    }
    const entries = set.entries()
    expect(entries.map((entry) => entry.card.peerId.toString())).toEqual([id(3), id(2), id(1)])
    const later = setup()
    later.clock.now = START + 14 * 24 * 60 * MINUTE + MINUTE
    for (const entry of entries.toReversed()) later.set.restore(entry)
    expect(later.set.entries().map((entry) => entry.card.peerId.toString())).toEqual([id(3), id(2)])
    // Their nodes have not given a sign of life for days, and the cards expired.
    expect(sampled()).toHaveLength(3)
    expect(later.sampled()).toEqual([])
  })
})

test.each([
  ['/ip4/20.1.2.3/tcp/1', '/ip4/20.1.2.99/tcp/2/ws', true],
  ['/ip4/20.1.2.3/tcp/1', '/ip4/20.1.3.3/tcp/1', false],
  ['/ip6/2a01:4f8:1:2::1/tcp/1', '/ip6/2a01:4f8:1:9::7/tcp/1', true],
  ['/ip6/2a01:4f8:1:2::1/tcp/1', '/ip6/2a01:4f8:2:2::1/tcp/1', false],
  ['/ip4/20.1.2.3/tcp/1', '/ip4/20.1.2.3/tcp/1/p2p-circuit', false]
])('%s and %s are in one subnet: %s', (first, second, same) => {
  expect(subnetOf(multiaddr(first)) === subnetOf(multiaddr(second))).toBe(same)
})

test('private addresses and names have no subnet', () => {
  for (const one of ['/ip4/192.168.0.1/tcp/1', '/ip6/::1/tcp/1', '/dns4/example.org/tcp/1']) {
    expect(subnetOf(multiaddr(one))).toBeUndefined()
  }
})
