/** A Go peer that joins the DHT and then breaks its rules. No client and no node suffers from it. */
import { generateKeyPair } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey, peerIdFromString } from '@libp2p/peer-id'
import { createClient } from '@potluck/client'
import { anyNodeCid, askKad, cardKey, KAD_K, openCard, PROVIDER_SAMPLE, type KadReply } from '@potluck/protocol'
import { multiaddr } from '@multiformats/multiaddr'
import { expect, onTestFinished, test, vi } from 'vitest'

import { caller, event, node, relay } from '../e2e/node/harness.ts'
import { ScriptedEngine } from '../scripted-engine/engine.ts'
import { goPeer, type GoPeer, type Hostility } from './peer.ts'

const MESSAGES = [{ role: 'user', content: 'hello' }] as const
/** What a hostile server can make a process keep. The replies of a test are up to 4 MiB each. */
const MAX_GROWTH_BYTES = 64 * 1024 * 1024
const MIB = 1024 * 1024

const scripted = (): ScriptedEngine => new ScriptedEngine({ reply: () => 'ok' })

function held(): number {
  globalThis.gc?.()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

async function ask(go: GoPeer): Promise<KadReply> {
  const to = { peerId: peerIdFromString(go.peer), addresses: go.addresses.map((address) => multiaddr(address)) }
  const request = { request: 'get_providers', key: anyNodeCid() } as const
  return await askKad(await caller(), to, request, AbortSignal.timeout(30_000))
}

test.each<[Hostility, number]>([
  ['peers', 5000],
  ['ids', 0],
  ['empty', 0],
  ['values', 0]
])('a reply with %s is cut to its valid part', async (how, count) => {
  const go = await goPeer()
  await go.misbehave(how, count)
  const before = held()
  const { closer, providers } = await ask(go)
  expect(closer.length).toBeLessThanOrEqual(KAD_K)
  expect(providers.length).toBe(how === 'peers' ? PROVIDER_SAMPLE : 0)
  expect(held() - before).toBeLessThan(MAX_GROWTH_BYTES)
})

test.each<[Hostility, number, string]>([
  ['peers', 30_000, 'protocol_violation'],
  ['long-values', 0, 'protocol_violation'],
  ['bytes', 0, 'protocol_violation'],
  ['endless', 0, 'protocol_violation'],
  ['slow', 100, 'admission_timeout'],
  ['silent', 0, 'admission_timeout']
])('a reply with %s (%i peers) fails with %s', async (how, count, code) => {
  const go = await goPeer()
  await go.misbehave(how, count)
  const before = held()
  await expect(ask(go)).rejects.toMatchObject({ code: expect.stringMatching(`${code}|aborted`) as string })
  expect(held() - before).toBeLessThan(MAX_GROWTH_BYTES)
})

test.each<[Hostility, number]>([
  ['peers', 5000],
  ['peers', 30_000],
  ['ids', 0],
  ['empty', 0],
  ['values', 0],
  ['long-values', 0],
  ['bytes', 0],
  ['endless', 0],
  ['slow', 100],
  ['silent', 0]
])('beside a server with %s (%i peers), a client finds the nodes and a new node joins', async (how, count) => {
  const start = await relay()
  const go = await goPeer()
  const bootstrap = [...go.addresses, ...start.addresses()]
  const first = await node(scripted(), { bootstrap })
  await event(first, 'advertised')
  await vi.waitUntil(async () => (await go.stored(anyNodeCid().toString())).length === 1)
  await go.misbehave(how, count)
  const before = held()

  const second = await node(scripted(), { bootstrap })
  await event(second, 'advertised')

  const client = await createClient({ bootstrap, mdns: false, scope: 'local' })
  onTestFinished(async () => await client.stop())
  const began = performance.now()
  const { metadata } = await client.chat({ messages: MESSAGES }).result()
  const firstMs = performance.now() - began
  expect([first, second].map(({ peerId }) => peerId.toString())).toContain(metadata.peerId)
  const listed = new Set<string>()
  for await (const { card } of client.nodes()) listed.add(card.peerId.toString())
  const listMs = performance.now() - began - firstMs
  expect([...listed].toSorted()).toEqual([first, second].map(({ peerId }) => peerId.toString()).toSorted())
  const growth = held() - before
  process.stderr.write(
    `${how} ${count}: answer after ${Math.round(firstMs)} ms, list ${Math.round(listMs)} ms, ` +
      `${(growth / MIB).toFixed(1)} MiB held, ${(process.memoryUsage().rss / MIB).toFixed(0)} MiB resident\n`
  )
  expect(growth).toBeLessThan(MAX_GROWTH_BYTES)
})

test('garbage that is put under the key of a card is stored nowhere, and the card stays', async () => {
  const start = await relay()
  const go = await goPeer()
  const serving = await node(scripted(), { bootstrap: start.addresses() })
  await event(serving, 'advertised')
  const key = cardKey(serving.peerId)
  const unused = cardKey(peerIdFromPrivateKey(await generateKeyPair('Ed25519')))
  for (const to of [start.addresses()[0]!, serving.addresses()[0]!]) {
    for (const length of [0, 1, 300, 16 * 1024, (3 * MIB) / 4]) {
      const garbage = Buffer.alloc(length, 7)
      expect(await go.putTo(to, key, garbage), `${length} bytes at ${to}`).toBe(false)
      expect(await go.putTo(to, unused, garbage), `${length} bytes at ${to}`).toBe(false)
    }
  }
  await go.connect(start.addresses()[0]!)
  await vi.waitUntil(async () => (await go.table()).includes(start.peerId.toString()))
  await openCard(await go.get(key), { now: Date.now(), peerId: serving.peerId })
})
