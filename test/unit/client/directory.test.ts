import { generateKeyPair } from '@libp2p/crypto/keys'
import type { Libp2p } from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { anyNodeCid, CARD_TTL_MS, nameCid } from '@potluck/protocol'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'

import { CARD_USABLE_MS, LOOKUP_REFRESH_MS, MAX_PROVIDERS, PARALLEL_CARDS } from '../../../client/base/constants.ts'
import { Directory } from '../../../client/discover/directory.ts'
import { createNetwork } from '../../../client/network/create.ts'
import type { Network } from '../../../client/network/network.ts'
import { nodePlatform } from '../../../client/platform/node.ts'
import { FakeNode, IDLE, startPeer } from './fake-node.ts'

const { signal } = new AbortController()

let relay: Libp2p
let node: FakeNode
let network: Network
let directory: Directory
let now: number

beforeEach(async () => {
  now = Date.now()
  relay = await startPeer()
  const bootstrap = String(relay.getMultiaddrs()[0])
  node = await FakeNode.start({ bootstrap })
  network = await createNetwork({ bootstrap: [bootstrap], mdns: false, scope: 'local' }, nodePlatform)
  directory = new Directory(network, () => now)
})

afterEach(async () => {
  directory.stop()
  await network.stop()
  await node.stop()
  await relay.stop()
})

async function peers(fresh = false): Promise<string[]> {
  const sightings = await directory.gather(anyNodeCid(), () => true, { signal, fresh })
  return sightings.map(({ card }) => card.peerId.toString())
}

test('a node that is known is given without asking', async () => {
  expect(await peers()).toEqual([node.peer])
  now += LOOKUP_REFRESH_MS - 1
  expect(await peers()).toEqual([node.peer])
  expect(node.cardsGiven).toBe(1)
})

test('after a minute it is given as it was, and asked again beside', async () => {
  await peers()
  now += LOOKUP_REFRESH_MS
  node.load = { ...IDLE, active: 1 }
  const [before] = await directory.gather(anyNodeCid(), () => true, { signal })
  expect(before?.load.active).toBe(0)
  await vi.waitUntil(() => node.cardsGiven === 2)
  await vi.waitUntil(async () => (await directory.gather(anyNodeCid(), () => true, { signal }))[0]?.load.active === 1)
})

test('a node that left is given until its card is too old', async () => {
  await peers()
  await node.stop()
  now += CARD_USABLE_MS - 1
  expect(await peers()).toEqual([node.peer])
  now += 1
  expect(await peers()).toEqual([])
})

test('an expired card is not used, however new', async () => {
  now += 2 * CARD_TTL_MS
  expect(await peers()).toEqual([])
  expect(node.cardsGiven).toBe(1)
})

test('what was forgotten is asked again', async () => {
  await peers()
  directory.forget(node.peer)
  expect(await peers()).toEqual([node.peer])
  expect(node.cardsGiven).toBe(2)
})

test('those who look at the same time share a lookup', async () => {
  const all = await Promise.all([peers(), peers(), peers()])
  expect(all).toEqual([[node.peer], [node.peer], [node.peer]])
  expect(node.cardsGiven).toBe(1)
})

test('loads that were told with answers count', async () => {
  await peers()
  directory.reportLoad(node.peer, { ...IDLE, active: 2, estimatedWaitMs: 700 })
  const [sighting] = await directory.gather(anyNodeCid(), () => true, { signal })
  expect(sighting).toMatchObject({ load: { active: 2, estimatedWaitMs: 700 }, loadAt: now })
})

test('a node that is looked at tells its load anew; one that is gone is forgotten', async () => {
  await peers()
  node.load = { ...IDLE, queued: 3 }
  expect(await directory.look([node.peer, 'nobody'], signal)).toMatchObject([{ load: { queued: 3 } }])
  expect(directory.sighting(node.peer)).toMatchObject({ load: { queued: 3 } })
  await node.stop()
  expect(await directory.look([node.peer], signal)).toEqual([])
  expect(directory.known()).toEqual([])
})

test('a node that any lookup found is there for all', async () => {
  await peers()
  const found = await directory.gather(nameCid('a/nother:Q8_0'), () => true, { signal })
  expect(found.map(({ card }) => card.peerId.toString())).toEqual([node.peer])
})

test('where nothing suits, the whole lookup is waited for, and nothing comes', async () => {
  expect(await directory.gather(anyNodeCid(), () => false, { signal })).toEqual([])
})

test('a caller who leaves does not wait', async () => {
  const left = directory.gather(anyNodeCid(), () => true, { signal: AbortSignal.abort() })
  await expect(left).rejects.toMatchObject({ code: 'aborted' })
})

test('a lookup goes on for others when one that looks is done', async () => {
  for await (const sighting of directory.find(anyNodeCid(), { signal })) {
    expect(sighting.card.peerId.toString()).toBe(node.peer)
    break
  }
  expect(await peers()).toEqual([node.peer])
  expect(node.cardsGiven).toBe(1)
})

/** The network with peers before the node, of which `connect` makes what it will. */
async function behind(crowd: number, connect: Network['connect']): Promise<string[]> {
  const others = await Promise.all(
    Array.from({ length: crowd }, async () => {
      const peerId = peerIdFromPrivateKey(await generateKeyPair('Ed25519'))
      return { peerId, addresses: [multiaddr('/ip4/127.0.0.1/tcp/1')], via: 'dht' as const }
    })
  )
  const crowded: Network = {
    connect: async (peer, until) =>
      await (others.includes(peer as never) ? connect : network.connect.bind(network))(peer, until),
    cardRecord: async (...of) => await network.cardRecord(...of),
    stop: async () => await network.stop(),
    async *providers(...of) {
      yield* others
      yield* network.providers(...of)
    }
  }
  directory = new Directory(crowded, () => now)
  return await peers()
}

test('a node is found behind a crowd of dead ones', async () => {
  expect(await behind(3 * MAX_PROVIDERS, async (...of) => await network.connect(...of))).toEqual([node.peer])
})

test('a node is found behind those that never answer', async () => {
  expect(await behind(PARALLEL_CARDS, async () => await new Promise(() => undefined))).toEqual([node.peer])
})
