import { generateKeyPair } from '@libp2p/crypto/keys'
import type { Libp2p } from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { CARD_TTL_MS, type Topic } from '@potluck/protocol'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'

import { CARD_USABLE_MS, LOOKUP_REFRESH_MS, MAX_PROVIDERS, PARALLEL_CARDS } from '../../../client/base/constants.ts'
import { SYSTEM_CLOCK } from '../../../client/base/clock.ts'
import { Directory } from '../../../client/discover/directory.ts'
import { createNetwork } from '../../../client/network/create.ts'
import type { Network } from '../../../client/network/network.ts'
import { nodePlatform } from '../../../client/platform/node.ts'
import { IDLE } from '../../unit/select/help.ts'
import { FakeNode, plain, startPeer } from './fake-node.ts'

const { signal } = new AbortController()
const NODES: Topic = { kind: 'nodes' }

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
  directory = directoryOf(network)
})

afterEach(async () => {
  directory.stop()
  await network.stop()
  await node.stop()
  await relay.stop()
})

/** A directory whose clock the tests move. Its pauses take real time. */
function directoryOf(of: Network): Directory {
  return new Directory({ network: of, clock: { ...SYSTEM_CLOCK, now: () => now }, random: Math.random })
}

async function peers(fresh = false): Promise<string[]> {
  const found = await directory.gather(NODES, () => true, { signal, fresh })
  return found.map(({ card }) => card.peerId.toString())
}

test('a lookup finds a known node without asking it again', async () => {
  expect(await peers()).toEqual([node.peer])
  now += LOOKUP_REFRESH_MS - 1
  expect(await peers()).toEqual([node.peer])
  expect(node.cardsGiven).toBe(1)
})

test('after a minute a lookup returns the known card at once, and asks the node again at the same time', async () => {
  await peers()
  now += LOOKUP_REFRESH_MS
  node.load = { ...IDLE, active: 1 }
  const [before] = await directory.gather(NODES, () => true, { signal })
  expect(before?.load.active).toBe(0)
  await vi.waitUntil(() => node.cardsGiven === 2)
  await vi.waitUntil(async () => (await directory.gather(NODES, () => true, { signal }))[0]?.load.active === 1)
})

test('a lookup finds a node that is gone until its card is too old', async () => {
  await peers()
  await node.stop()
  now += CARD_USABLE_MS - 1
  expect(await peers()).toEqual([node.peer])
  now += 1
  expect(await peers()).toEqual([])
})

test('an expired card is not used, even if it has just arrived', async () => {
  now += 2 * CARD_TTL_MS
  await expect(peers()).rejects.toThrow("its clock and this machine's clock differ by about 4 hours")
  expect(directory.known()).toEqual([])
  expect(node.cardsGiven).toBe(1)
})

test('an evicted node is asked again', async () => {
  await peers()
  directory.evict(node.peer)
  expect(directory.known()).toEqual([])
  expect(await peers()).toEqual([node.peer])
  expect(node.cardsGiven).toBe(2)
})

test('concurrent requests share a lookup', async () => {
  const all = await Promise.all([peers(), peers(), peers()])
  expect(all).toEqual([[node.peer], [node.peer], [node.peer]])
  expect(node.cardsGiven).toBe(1)
})

test('the directory uses a load that a node reported with an answer', async () => {
  await peers()
  directory.reportLoad(node.peer, { ...IDLE, active: 2, estimatedWaitMs: 700 })
  const [known] = await directory.gather(NODES, () => true, { signal })
  expect(known).toMatchObject({ load: { active: 2, estimatedWaitMs: 700 }, loadAt: now })
})

test('refreshing a node stores its new load, and drops a node that is gone', async () => {
  await peers()
  node.load = { ...IDLE, queued: 3 }
  expect(await directory.refresh([node.peer, 'nobody'], signal)).toMatchObject([{ load: { queued: 3 } }])
  expect(directory.known()).toMatchObject([{ load: { queued: 3 } }])
  await node.stop()
  expect(await directory.refresh([node.peer], signal)).toEqual([])
  expect(directory.known()).toEqual([])
})

test('a lookup uses nodes that another lookup found', async () => {
  await peers()
  const found = await directory.gather({ kind: 'name', name: 'a/nother:Q8_0' }, () => true, { signal })
  expect(found.map(({ card }) => card.peerId.toString())).toEqual([node.peer])
})

test('if no node is suitable, the lookup runs to its end and returns none', async () => {
  expect(await directory.gather(NODES, () => false, { signal })).toEqual([])
})

test('a caller that aborts does not wait', async () => {
  const aborted = directory.gather(NODES, () => true, { signal: AbortSignal.abort() })
  await expect(aborted).rejects.toMatchObject({ code: 'aborted' })
})

test('a lookup continues for the others when one caller has what it needs', async () => {
  for await (const known of directory.find(NODES, { signal })) {
    expect(known.card.peerId.toString()).toBe(node.peer)
    break
  }
  expect(await peers()).toEqual([node.peer])
  expect(node.cardsGiven).toBe(1)
})

/** Looks for a node on a network where every storer lists this many other peers too. `askCard` asks these peers. */
async function behind(crowd: number, askCard: Network['askCard']): Promise<string[]> {
  const others = await Promise.all(
    Array.from({ length: crowd }, async () => {
      const peerId = peerIdFromPrivateKey(await generateKeyPair('Ed25519'))
      return { peerId, addresses: [multiaddr('/ip4/127.0.0.1/tcp/1')] }
    })
  )
  const crowded: Network = {
    ...plain(network),
    askCard: async (peer, until) =>
      others.some(({ peerId }) => peerId.equals(peer.peerId))
        ? await askCard(peer, until)
        : await network.askCard(peer, until),
    askKad: async (...of) => {
      const reply = await network.askKad(...of)
      return { ...reply, providers: [...others, ...reply.providers] }
    }
  }
  directory.stop()
  directory = directoryOf(crowded)
  return await peers()
}

test('a lookup finds a node behind many dead ones', async () => {
  expect(await behind(3 * MAX_PROVIDERS, async (...of) => await network.askCard(...of))).toEqual([node.peer])
})

test('a lookup finds a node behind peers that never answer', async () => {
  expect(await behind(2 * PARALLEL_CARDS, async () => await new Promise(() => undefined))).toEqual([node.peer])
})
