import { encodeCardReply, MAX_CARD_BYTES, type ErrorCode } from '@potluck/protocol'
import { multiaddr } from '@multiformats/multiaddr'
import { afterEach, beforeEach, expect, test } from 'vitest'

import { askCard, type Sighting } from '../../../client/discover/known-node.ts'
import { createNetwork } from '../../../client/network/create.ts'
import type { Network } from '../../../client/network/network.ts'
import { nodePlatform } from '../../../client/platform/node.ts'
import { FakeNode, IDLE } from './fake-node.ts'

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

async function ask(from: Network = network, address = multiaddr(node.address)): Promise<Sighting> {
  return await askCard(from, { peerId: node.libp2p.peerId, addresses: [address] }, { now: Date.now, signal })
}

async function codeOf(asking: Promise<unknown>): Promise<ErrorCode | undefined> {
  const error: unknown = await asking.catch((reason: unknown) => reason)
  return (error as { code?: ErrorCode }).code
}

test('a node gives its card and load', async () => {
  const { card, load, roundTripMs } = await ask()
  expect(card.peerId.equals(node.libp2p.peerId)).toBe(true)
  expect(load).toEqual(IDLE)
  expect(roundTripMs).toBeGreaterThan(0)
})

test('where the addresses are old, those of its card on the DHT are tried', async () => {
  const knowing = { ...stub(network), cardRecord: async () => await node.card() }
  expect((await ask(knowing, DEAD)).card.peerId.equals(node.libp2p.peerId)).toBe(true)
})

test('a card on the DHT that leads nowhere else is no help', async () => {
  const card = async (): Promise<Uint8Array> => await node.card({ addresses: [DEAD.toString()] })
  await expect(ask({ ...stub(network), cardRecord: card }, DEAD)).rejects.toThrow(/ECONNREFUSED|dial|failed/i)
})

test('a forged record of the DHT is not followed', async () => {
  const forged = async (): Promise<Uint8Array> => {
    const bytes = await node.card()
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1
    return bytes
  }
  expect(await codeOf(ask({ ...stub(network), cardRecord: forged }, DEAD))).toBe('protocol_violation')
})

const LIES: Record<string, () => Promise<Uint8Array>> = {
  'another node’s card': async () => {
    const other = await FakeNode.start()
    const reply = await other.cardReply()
    await other.stop()
    return reply
  },
  'an expired card': async () => encodeCardReply({ card: await node.card({ sequence: 1, expiresAt: 2 }), load: IDLE }),
  'bytes that are no card': () => Promise.resolve(new Uint8Array(100).fill(7)),
  'more bytes than a card may have': () => Promise.resolve(new Uint8Array(2 * MAX_CARD_BYTES))
}

for (const [lie, reply] of Object.entries(LIES)) {
  test(`${lie} is refused`, async () => {
    node.reply = reply
    expect(await codeOf(ask())).toBe('protocol_violation')
  })
}

/** The network's methods apart from their object, to put others in their place. */
function stub(from: Network): Network {
  return {
    connect: async (...args) => await from.connect(...args),
    providers: (...args) => from.providers(...args),
    cardRecord: async (...args) => await from.cardRecord(...args),
    stop: async () => await from.stop()
  }
}
