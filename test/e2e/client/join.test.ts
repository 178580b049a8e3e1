/**
 * How a client joins: through saved peers, through cards that other peers pass on, and what it reports if it cannot.
 */
import { createServer, type Server, type Socket } from 'node:net'
import type { AddressInfo } from 'node:net'

import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { identify } from '@libp2p/identify'
import type { Libp2p } from '@libp2p/interface'
import { tcp } from '@libp2p/tcp'
import { createClient, MemoryPeerStore, type Client, type ClientOptions } from '@potluck/client'
import { CARD_PROTOCOL, encodeCardReply, FrameStream, MAX_FRAME_BYTES } from '@potluck/protocol'
import { createLibp2p } from 'libp2p'
import { expect, onTestFinished, test } from 'vitest'

import { failureOf, FakeNode, startPeer } from './fake-node.ts'
import { WAIT } from '../../peers/answer-stream.ts'

const WEEK_MS = 7 * 24 * 60 * 60_000
const QUESTION = { messages: [{ role: 'user', content: 'hello' }] } as const

async function client(options: ClientOptions): Promise<Client> {
  const made = await createClient({ mdns: false, scope: 'local', ...options })
  onTestFinished(async () => await made.stop())
  return made
}

async function stopped<T extends { stop: () => unknown }>(started: Promise<T>): Promise<T> {
  const one = await started
  onTestFinished(async () => void (await one.stop()))
  return one
}

async function listed(of: Client): Promise<string[]> {
  const peers: string[] = []
  for await (const { card } of of.nodes()) peers.push(card.peerId.toString())
  return peers.sort()
}

/** A libp2p peer without any protocol of Potluck. */
async function plainPeer(maxConnections = 100): Promise<Libp2p> {
  return await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionManager: { maxConnections },
    services: { identify: identify() }
  })
}

function addressOf(peer: Libp2p): string {
  return String(peer.getMultiaddrs()[0])
}

/** Passes these cards on, as a relay does. */
async function passOn(peer: Libp2p, others: Uint8Array[]): Promise<void> {
  await peer.handle(CARD_PROTOCOL, async (stream) => {
    const frames = new FrameStream(stream, { maxFrameBytes: MAX_FRAME_BYTES })
    await frames.send(encodeCardReply({ own: undefined, others }), WAIT)
    await frames.close()
  })
}

/** An address that accepts connections and never answers. */
async function silentAddress(): Promise<string> {
  const sockets = new Set<Socket>()
  const server: Server = createServer((socket) => sockets.add(socket))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return `/ip4/127.0.0.1/tcp/${(server.address() as AddressInfo).port}`
}

test('a client finds the nodes whose cards a relay passes on, without the DHT', async () => {
  const nodes = await Promise.all([1, 2, 3].map(async () => await stopped(FakeNode.start())))
  const relay = await stopped(plainPeer())
  // The relay knows only the first two. The second passes on the third.
  await passOn(relay, await Promise.all(nodes.slice(0, 2).map(async (node) => await node.card())))
  nodes[1]!.others = [await nodes[2]!.card()]
  const asking = await client({ bootstrap: [addressOf(relay)] })
  expect(await listed(asking)).toEqual(nodes.map(({ peer }) => peer).sort())
})

test('silent addresses in the cards of others do not hide a node', async () => {
  const node = await stopped(FakeNode.start())
  const silent = await silentAddress()
  const gone = await Promise.all(Array.from({ length: 7 }, async () => await FakeNode.start()))
  const dead = await Promise.all(gone.map(async (one) => await one.card({ addresses: [silent] })))
  await Promise.all(gone.map(async (one) => await one.stop()))
  const relay = await stopped(plainPeer())
  await passOn(relay, [...dead, await node.card()])
  const answer = (await client({ bootstrap: [addressOf(relay)] })).chat(QUESTION)
  expect((await answer.result()).metadata.peerId).toBe(node.peer)
})

test('a client with week-old saved peers joins without a bootstrap address', async () => {
  const relay = await stopped(startPeer())
  const node = await stopped(FakeNode.start({ bootstrap: addressOf(relay) }))
  const other = await stopped(FakeNode.start({ bootstrap: addressOf(relay) }))
  const store = new MemoryPeerStore()
  const first = await client({ bootstrap: [addressOf(relay)], peers: { store, onStoreError: fail } })
  expect(await listed(first)).toEqual([node.peer, other.peer].sort())
  await first.stop()
  await relay.stop()
  for (const saved of store.load()) store.save({ ...saved, seenAt: saved.seenAt - WEEK_MS })
  const second = await client({ peers: { store, onStoreError: fail } })
  expect(await listed(second)).toEqual([node.peer, other.peer].sort())
  // What the second client saw is recent again.
  expect(store.load().filter(({ seenAt }) => seenAt > Date.now() - WEEK_MS / 2)).toHaveLength(2)
})

test('if no saved peer answers, the error says so', async () => {
  const gone = await FakeNode.start()
  const store = new MemoryPeerStore()
  store.save({ peer: gone.peer, addresses: [gone.address], seenAt: Date.now() })
  await gone.stop()
  const asking = await client({ peers: { store, onStoreError: fail } })
  const error = await failureOf(asking.chat(QUESTION).text())
  expect([error.code, error.message]).toEqual(['no_providers', 'none of the saved peers answered'])
})

test('without a bootstrap address, mDNS or a saved peer there is no way to find nodes', async () => {
  await expect(createClient({ mdns: false })).rejects.toMatchObject({ code: 'invalid_request' })
})

test('an empty bootstrap address is refused', async () => {
  const error = await failureOf(createClient({ bootstrap: [''] }))
  expect([error.code, error.message]).toEqual([
    'invalid_request',
    'a bootstrap address is empty; expected /ip4/…/tcp/…/p2p/…'
  ])
})

test('a bootstrap address where nothing listens', async () => {
  const peer = await plainPeer()
  const address = addressOf(peer)
  await peer.stop()
  const error = await failureOf((await client({ bootstrap: [address] })).chat(QUESTION).text())
  expect([error.code, error.message]).toEqual([
    'no_providers',
    `no bootstrap address could be reached: nothing listens at ${address}`
  ])
})

test('a bootstrap peer of another network', async () => {
  const address = addressOf(await stopped(plainPeer()))
  const error = await failureOf((await client({ bootstrap: [address] })).chat(QUESTION).text())
  expect(error.code).toBe('no_providers')
  expect(error.message).toContain(`connected to ${address}, but it is not a Potluck peer`)
})

test('a relay without the DHT that knows no node', async () => {
  const relay = await stopped(plainPeer())
  await passOn(relay, [])
  const error = await failureOf((await client({ bootstrap: [addressOf(relay)] })).chat(QUESTION).text())
  expect(error.code).toBe('no_providers')
  expect(error.message).toContain("does not serve the network's DHT and named no node")
})

test('a bootstrap peer with too many connections is busy', async () => {
  const full = await stopped(plainPeer(1))
  const first = await stopped(plainPeer())
  await first.dial(full.getMultiaddrs())
  const error = await failureOf((await client({ bootstrap: [addressOf(full)] })).chat(QUESTION).text())
  expect(error.code).toBe('busy')
  expect(error.message).toContain('too many connections')
  expect(error.retryAfterMs).toBeGreaterThan(0)
})

function fail(error: Error): void {
  throw error
}
