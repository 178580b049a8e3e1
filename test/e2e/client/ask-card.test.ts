import { multiaddr } from '@multiformats/multiaddr'
import { encodeCardReply, MAX_CARD_BYTES } from '@potluck/protocol'
import { afterEach, beforeEach, expect, test } from 'vitest'

import { askCard, type KnownNode } from '../../../client/discover/known-node.ts'
import { createNetwork } from '../../../client/network/create.ts'
import type { Network } from '../../../client/network/network.ts'
import { nodePlatform } from '../../../client/platform/node.ts'
import { IDLE } from '../../unit/select/help.ts'
import { failureOf, FakeNode } from './fake-node.ts'

const DEAD = multiaddr('/ip4/127.0.0.1/tcp/9')
const { signal } = new AbortController()

let node: FakeNode
let network: Network

beforeEach(async () => {
  node = await FakeNode.start()
  network = await createNetwork({ bootstrap: [node.address], mdns: false, scope: 'local' }, nodePlatform)
})

afterEach(async () => {
  await network.stop()
  await node.stop()
})

async function ask(from: Network = network, address = multiaddr(node.address)): Promise<KnownNode> {
  return await askCard(from, { peerId: node.libp2p.peerId, addresses: [address] }, { now: Date.now, signal })
}

test('a node sends its card and its load', async () => {
  const { card, load, roundTripMs } = await ask()
  expect(card.peerId.equals(node.libp2p.peerId)).toBe(true)
  expect(load).toEqual(IDLE)
  expect(roundTripMs).toBeGreaterThan(0)
})

test('if the addresses are old, the client tries the addresses of the card on the DHT', async () => {
  const knowing = { ...plain(network), cardRecord: async () => await node.card() }
  expect((await ask(knowing, DEAD)).card.peerId.equals(node.libp2p.peerId)).toBe(true)
})

test('a card on the DHT with the same addresses does not help', async () => {
  const card = async (): Promise<Uint8Array> => await node.card({ addresses: [DEAD.toString()] })
  expect((await failureOf(ask({ ...plain(network), cardRecord: card }, DEAD))).code).toBe('dial_failed')
})

test('the client ignores the addresses of a forged card on the DHT', async () => {
  const forged = async (): Promise<Uint8Array> => {
    const bytes = await node.card()
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1
    return bytes
  }
  expect((await failureOf(ask({ ...plain(network), cardRecord: forged }, DEAD))).code).toBe('protocol_violation')
})

const LIES: Record<string, () => Promise<Uint8Array>> = {
  'another node’s card': async () => {
    const other = await FakeNode.start()
    const reply = await other.cardReply()
    await other.stop()
    return reply
  },
  'an expired card': async () =>
    encodeCardReply({ own: { card: await node.card({ sequence: 1, expiresAt: 2 }), load: IDLE }, others: [] }),
  'bytes that are not a card': () => Promise.resolve(new Uint8Array(100).fill(7)),
  'more bytes than a card may have': () => Promise.resolve(new Uint8Array(2 * MAX_CARD_BYTES))
}

for (const [lie, reply] of Object.entries(LIES)) {
  test(`the client refuses ${lie}`, async () => {
    node.reply = reply
    expect((await failureOf(ask())).code).toBe('protocol_violation')
  })
}

/** The network as a plain object, so that a test can replace a method. */
function plain(from: Network): Network {
  return {
    connect: async (...args) => await from.connect(...args),
    providers: (...args) => from.providers(...args),
    abortSilent: async () => [],
    cardRecord: async (...args) => await from.cardRecord(...args),
    stop: async () => await from.stop()
  }
}
