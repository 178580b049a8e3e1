/** Lookups over a network in memory, on virtual time. */
import { shardCid, type Topic } from '@potluck/protocol'
import { describe, expect, test } from 'vitest'

import {
  CARD_TIMEOUT_MS,
  GATHER_MS,
  LOOKUP_REFRESH_MS,
  MAX_ASKED_FOR_LIST,
  MAX_PROVIDERS,
  PARALLEL_CARDS,
  PARALLEL_WALK_REQUESTS,
  SLOW_CARD_MS
} from '../../../client/base/constants.ts'
import type { Directory } from '../../../client/discover/directory.ts'
import type { KnownNode } from '../../../client/discover/known-node.ts'
import { model } from '../select/help.ts'
import { FakeNetwork, type FakePeer } from './fake-network.ts'

const { signal } = new AbortController()
const NODES: Topic = { kind: 'nodes' }
const KEY = shardCid(NODES, '')

/** A network whose only entry is a relay with 20 DHT servers. */
function networkOf(seed: number): { network: FakeNetwork; relay: FakePeer } {
  const network = new FakeNetwork(seed)
  const relay = network.add('relay')
  network.entryPeers = [relay]
  network.dht = [relay, ...network.many(20, 'relay')]
  return { network, relay }
}

async function list(directory: Directory): Promise<string[]> {
  const found: string[] = []
  for await (const { card } of directory.find(NODES, { signal })) found.push(card.peerId.toString())
  return found
}

function idsOf(peers: readonly FakePeer[]): string[] {
  return peers.map(({ peerId }) => peerId.toString()).sort()
}

async function gather(
  directory: Directory,
  { topic = NODES, ...options }: { topic?: Topic; whole?: boolean; fresh?: boolean } = {}
): Promise<KnownNode[]> {
  return await directory.gather(topic, () => true, { signal, ...options })
}

test.each(['silent', 'refusing'] as const)('4,000 dead %s records neither delay nor hide live nodes', async (kind) => {
  const { network, relay } = networkOf(1)
  const live = network.many(20, 'node')
  network.provide(KEY, [...live, ...network.many(4_000, kind)])
  relay.others = live
  for (const node of live) node.others = live
  const directory = network.directory()
  const first = await network.run(gather(directory))
  expect(first.value.length).toBeGreaterThan(0)
  expect(first.ms).toBeLessThan(1_000)
  const listing = list(directory)
  const all = async (): Promise<void> => {
    while (directory.known().length < live.length) await network.clock.sleep(50, signal)
  }
  expect((await network.run(all())).ms).toBeLessThan(3_000)
  expect((await network.run(listing)).value.toSorted()).toEqual(idsOf(live))
  const asked = network.peers.reduce((sum, one) => sum + one.asked, 0) - network.kadRequests
  expect(asked).toBeLessThanOrEqual(MAX_ASKED_FOR_LIST)
})

test('without cards of others, live nodes are found among 400 silent records', async () => {
  const { network } = networkOf(2)
  const live = network.many(20, 'node')
  network.provide(KEY, [...live, ...network.many(400, 'silent')])
  const { value, ms } = await network.run(gather(network.directory()))
  expect(value.length).toBeGreaterThan(0)
  expect(ms).toBeLessThan(2_000)
})

test('no more peers are asked at once than the limit allows, and slow ones give up their places', async () => {
  const { network } = networkOf(3)
  network.provide(KEY, network.many(200, 'silent'))
  const before = network.clock.now()
  const looking = gather(network.directory())
  let most = 0
  const counted = (async () => {
    while (network.clock.now() < before + CARD_TIMEOUT_MS) {
      await network.clock.sleep(SLOW_CARD_MS / 10, signal)
      most = Math.max(most, network.peers.filter(({ behaviour, asked }) => behaviour === 'silent' && asked > 0).length)
    }
  })()
  await network.run(counted)
  const rounds = CARD_TIMEOUT_MS / SLOW_CARD_MS
  expect(most).toBeLessThanOrEqual(PARALLEL_CARDS * rounds)
  expect(most).toBeGreaterThan(PARALLEL_CARDS)
  await network.run(looking)
})

test('50 clients know all 120 nodes together, and no node more than twice its share', async () => {
  const { network, relay } = networkOf(4)
  const live = network.many(120, 'node')
  network.provide(KEY, live)
  relay.others = live
  for (const node of live) node.others = live
  const counts = new Map(live.map(({ peerId }) => [peerId.toString(), 0]))
  for (let client = 0; client < 50; client++) {
    const directory = network.directory()
    await network.run(gather(directory, { whole: true }))
    const known = directory.known().map(({ card }) => card.peerId.toString())
    expect(known.length).toBeGreaterThanOrEqual(MAX_PROVIDERS)
    for (const peer of known) counts.set(peer, counts.get(peer)! + 1)
  }
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0)
  expect(Math.min(...counts.values())).toBeGreaterThan(0)
  expect(Math.max(...counts.values())).toBeLessThan((2 * total) / live.length)
})

test('a list names all of 120 nodes', async () => {
  const { network } = networkOf(5)
  const live = network.many(120, 'node')
  network.provide(KEY, live)
  expect((await network.run(list(network.directory()))).value.toSorted()).toEqual(idsOf(live))
})

test('a list after a request completes what the request had found', async () => {
  const { network } = networkOf(6)
  const live = network.many(120, 'node')
  network.provide(KEY, live)
  const directory = network.directory()
  await network.run(gather(directory, { whole: true }))
  expect(directory.known().length).toBeLessThan(live.length)
  expect((await network.run(list(directory))).value.toSorted()).toEqual(idsOf(live))
})

test('nodes at an unknown depth are found, and the next search begins there', async () => {
  const { network } = networkOf(7)
  network.dht = [...network.dht, ...network.many(300, 'relay')]
  const live = network.many(60, 'node')
  live.forEach((node, index) => network.provide(shardCid(NODES, ['00', '01', '10', '11'][index % 4]!), [node]))
  const directory = network.directory()
  const first = await network.run(gather(directory, { whole: true }))
  expect(first.value.length).toBeGreaterThan(10)
  // A search begins at the estimated depth. If all began at depth 0, its storers would carry the load of all clients.
  expect(network.kadKeys).not.toContain(KEY.toString())
  network.kadKeys.clear()
  await network.clock.runUntil(network.clock.now() + 2 * LOOKUP_REFRESH_MS)
  await network.run(gather(directory, { whole: true, fresh: true }))
  const shards = ['00', '01', '10', '11'].map((prefix) => shardCid(NODES, prefix).toString())
  expect([...network.kadKeys].filter((key) => !shards.includes(key))).toEqual([])
})

test('peers that did not answer are asked last by the next lookup, and again if nothing else is left', async () => {
  const { network } = networkOf(8)
  const dead = network.many(30, 'refusing')
  const node = network.add('node')
  network.provide(KEY, [...dead, node])
  const directory = network.directory()
  await network.run(gather(directory, { whole: true }))
  await network.clock.runUntil(network.clock.now() + LOOKUP_REFRESH_MS)
  await network.run(gather(directory, { whole: true }))
  expect(node.asked).toBe(2)
  expect(dead.map(({ asked }) => asked)).toEqual(dead.map(() => 1))
  node.behaviour = 'refusing'
  directory.evict(node.peerId.toString())
  dead[0]!.behaviour = 'node'
  const { value } = await network.run(gather(directory, { whole: true, fresh: true }))
  expect(value.map(({ card }) => card.peerId.toString())).toEqual(idsOf([dead[0]!]))
})

test('an entry peer without the DHT does not end the lookup while another one serves it', async () => {
  const { network, relay } = networkOf(9)
  const useless = network.add('refusing')
  network.entryPeers = [useless, relay]
  const node = network.add('node')
  network.provide(KEY, [node])
  expect((await network.run(list(network.directory()))).value).toEqual(idsOf([node]))
})

test('silent entry peers end a lookup with a reason, and without `aborted`', async () => {
  const network = new FakeNetwork(10)
  network.entryPeers = network.many(2, 'silent')
  const failed = network.run(gather(network.directory()))
  await expect(failed).rejects.toMatchObject({ code: 'no_providers' })
})

test('a lookup that a suspension of the machine interrupted runs again', async () => {
  const { network, relay } = networkOf(1)
  const [node] = network.many(1, 'node')
  network.provide(KEY, [node!])
  for (const one of network.dht) one.behaviour = 'silent'
  let resumedAt = -Infinity
  let held = 0
  const suspension = {
    hold: () => {
      held++
      return () => void held--
    },
    resumedSince: (at: number) => resumedAt > at
  }
  const directory = network.directory({ suspension })
  const found = network.run(gather(directory))
  await network.clock.sleep(1_000, signal)
  expect(held).toBe(1)
  resumedAt = network.clock.now()
  for (const one of [relay, ...network.dht]) one.behaviour = 'relay'
  expect(
    idsOf((await found).value.map(({ card }) => network.peers.find(({ peerId }) => peerId.equals(card.peerId))!))
  ).toEqual(idsOf([node!]))
  expect(held).toBe(0)
})

describe('a model of which the client knows no node', () => {
  const MODEL: Topic = { kind: 'digest', digest: model().digest }

  test('is searched as soon as a peer is connected, before the first card arrives', async () => {
    const { network } = networkOf(11)
    const node = network.add('node')
    network.provide(shardCid(MODEL, ''), [node])
    const { value, ms } = await network.run(gather(network.directory(), { topic: MODEL }))
    expect(value.map(({ card }) => card.peerId.toString())).toEqual(idsOf([node]))
    // The connection, the request to the DHT and the card of the node take one delay each.
    expect(ms).toBeLessThan(4 * network.delayMs + GATHER_MS)
  })

  test('is not searched at depth 0 to the end if the first cards show that it is popular', async () => {
    const { network, relay } = networkOf(12)
    const live = network.many(40, 'node')
    relay.others = live
    for (const node of live) node.others = live
    network.dht = [relay, ...network.many(300, 'relay')]
    await network.run(gather(network.directory(), { topic: MODEL }))
    // The connected peer was asked. The servers that it named were asked at the same time as its card.
    expect(network.kadRequests).toBeLessThanOrEqual(1 + PARALLEL_WALK_REQUESTS)
  })
})
