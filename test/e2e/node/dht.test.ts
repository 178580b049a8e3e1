/** Which records the peers of a real DHT store, and when a node publishes them. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join as joinPath } from 'node:path'

import { generateKeyPair } from '@libp2p/crypto/keys'
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { identify } from '@libp2p/identify'
import type { PrivateKey } from '@libp2p/interface'
import { kadDHT, type KadDHT } from '@libp2p/kad-dht'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import {
  anyNodeCid,
  CARD_TTL_MS,
  cardKey,
  kadOptions,
  MAX_CARD_BYTES,
  modelCid,
  nameCid,
  openCard,
  putValue,
  signCard,
  type Card
} from '@potluck/protocol'
import { multiaddr } from '@multiformats/multiaddr'
import { LevelDatastore } from 'datastore-level'
import { createLibp2p } from 'libp2p'
import type { CID } from 'multiformats/cid'
import { beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'

import { startRelay, type PotluckNode, type Relay } from '../../../node/index.ts'
import { ScriptedEngine } from '../../scripted-engine/engine.ts'
import { caller, event, LOOPBACK, node, relay, silent } from './harness.ts'
import { testCard } from '../../peers/card.ts'

/** A client of the DHT, which stores no records. */
async function join(to: readonly string[]): Promise<{ dht: KadDHT; stop: () => Promise<void> }> {
  const peer = await createLibp2p({
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: { identify: identify(), ping: ping(), dht: kadDHT(kadOptions({ scope: 'local', clientMode: true })) }
  })
  await Promise.all(to.map(async (address) => await peer.dial(multiaddr(address))))
  return { dht: peer.services.dht, stop: async () => await peer.stop() }
}

/** The same client, which stops when the test is done. */
async function joined(to: readonly string[]): Promise<KadDHT> {
  const { dht, stop } = await join(to)
  onTestFinished(stop)
  return dht
}

const signal = (): AbortSignal => AbortSignal.timeout(30_000)

/** Returns how many peers stored the value. */
async function put(dht: KadDHT, key: Uint8Array, value: Uint8Array): Promise<number> {
  let storers = 0
  for await (const happened of dht.put(key, value, { signal: signal() })) {
    if (happened.name === 'PEER_RESPONSE' && happened.messageName === 'PUT_VALUE' && happened.record !== undefined) {
      storers++
    }
  }
  return storers
}

async function get(dht: KadDHT, key: Uint8Array): Promise<Uint8Array | undefined> {
  let value: Uint8Array | undefined
  for await (const happened of dht.get(key, { signal: signal() })) {
    if (happened.name === 'VALUE') value = Uint8Array.from(happened.value)
  }
  return value
}

async function providers(dht: KadDHT, key: CID): Promise<string[]> {
  const found = new Set<string>()
  for await (const happened of dht.findProviders(key, { signal: signal() })) {
    if (happened.name === 'PROVIDER') for (const { id } of happened.providers) found.add(id.toString())
  }
  return [...found]
}

function card(key: PrivateKey, changes: Partial<Card> = {}): Card {
  return testCard(peerIdFromPrivateKey(key), changes)
}

describe('the peers of the DHT', () => {
  const storers: Relay[] = []
  let writer: KadDHT
  let attacker: KadDHT
  let reader: KadDHT
  beforeAll(async () => {
    for (let index = 0; index < 4; index++) {
      const bootstrap = storers.flatMap((storer) => storer.addresses())
      storers.push(await startRelay({ listen: [LOOPBACK], scope: 'local', bootstrap, logger: silent }))
    }
    const everyone = storers.flatMap((storer) => storer.addresses())
    const peers = await Promise.all([join(everyone), join(everyone), join(everyone)])
    ;[writer, attacker, reader] = [peers[0].dht, peers[1].dht, peers[2].dht]
    return async () => await Promise.all([...peers.map(({ stop }) => stop()), ...storers.map((it) => it.stop())])
  })

  test('store a valid card, and replace it with a newer one', async () => {
    const owner = await generateKeyPair('Ed25519')
    const key = cardKey(peerIdFromPrivateKey(owner))
    const now = Date.now()
    for (const sequence of [now, now + 1]) {
      expect(await put(writer, key, await signCard(card(owner, { sequence }), owner))).toBe(storers.length)
    }
    const found = await get(reader, key)
    expect((await openCard(found ?? new Uint8Array(), { now })).sequence).toBe(now + 1)
  })

  test('store a card that its node sends to one of them only, and refuse one of another node', async () => {
    const owner = await generateKeyPair('Ed25519')
    const [key, other] = [owner, await generateKeyPair('Ed25519')].map((one) => cardKey(peerIdFromPrivateKey(one)))
    const value = await signCard(card(owner), owner)
    const [storer] = storers
    const server = { peerId: storer!.peerId, addresses: storer!.addresses().map((address) => multiaddr(address)) }
    const host = await caller()
    await putValue(host, server, { key: key!, value, now: Date.now() }, signal())
    expect(await get(reader, key!)).toEqual(value)
    await expect(putValue(host, server, { key: other!, value, now: Date.now() }, signal())).rejects.toMatchObject({
      code: 'stream_cut'
    })
  })

  test('refuse a card that is older than theirs', async () => {
    const owner = await generateKeyPair('Ed25519')
    const key = cardKey(peerIdFromPrivateKey(owner))
    const old = await signCard(card(owner, { sequence: Date.now() - 1000 }), owner)
    const tombstone = await signCard(card(owner, { draining: true }), owner)
    expect(await put(writer, key, tombstone)).toBe(storers.length)
    expect(await put(attacker, key, old)).toBe(0)
    expect(await get(reader, key)).toEqual(tombstone)
  })

  test('refuse it also after a restart, even if they no longer have the newer card', async () => {
    const dataDirectory = await mkdtemp(joinPath(tmpdir(), 'potluck-dht-'))
    onTestFinished(async () => await rm(dataDirectory, { recursive: true }))
    const options = { listen: [LOOPBACK], scope: 'local', logger: silent, dataDirectory } as const
    const owner = await generateKeyPair('Ed25519')
    const key = cardKey(peerIdFromPrivateKey(owner))
    const old = await signCard(card(owner, { sequence: Date.now() - 1000 }), owner)
    const before = await startRelay(options)
    expect(await put(await joined(before.addresses()), key, await signCard(card(owner), owner))).toBe(1)
    await before.stop()
    const level = new LevelDatastore(joinPath(dataDirectory, 'datastore'))
    await level.open()
    for await (const record of level.queryKeys({ prefix: '/dht/record/' })) await level.delete(record)
    await level.close()
    const after = await startRelay(options)
    onTestFinished(async () => await after.stop())
    expect(await put(await joined(after.addresses()), key, old)).toBe(0)
  })

  test.each<[string, (owner: PrivateKey) => Promise<Uint8Array>]>([
    [
      'a forged card',
      async () => {
        const forger = await generateKeyPair('Ed25519')
        return await signCard(card(forger), forger)
      }
    ],
    [
      'a card with a changed byte',
      async (owner) => {
        const bytes = await signCard(card(owner), owner)
        return bytes.with(bytes.byteLength - 10, (bytes.at(-10) ?? 0) ^ 1)
      }
    ],
    [
      'an expired card',
      async (owner) => {
        const sequence = Date.now() - CARD_TTL_MS - 1000
        return await signCard(card(owner, { sequence }), owner)
      }
    ],
    [
      'a card from the future',
      async (owner) => await signCard(card(owner, { sequence: Date.now() + 3_600_000 }), owner)
    ],
    [
      'an oversized card',
      async (owner) => Uint8Array.from([...(await signCard(card(owner), owner)), ...new Uint8Array(MAX_CARD_BYTES)])
    ],
    ['random bytes', async () => crypto.getRandomValues(new Uint8Array(300))]
  ])('refuse %s', async (_, value) => {
    const owner = await generateKeyPair('Ed25519')
    const key = cardKey(peerIdFromPrivateKey(owner))
    expect(await put(attacker, key, await value(owner))).toBe(0)
    expect(await get(reader, key)).toBeUndefined()
  })
})

describe('a node', () => {
  const scripted = (): ScriptedEngine => new ScriptedEngine({ reply: () => 'ok' })

  async function found(dht: KadDHT, serving: PotluckNode): Promise<Card> {
    const bytes = await get(dht, cardKey(serving.peerId))
    return await openCard(bytes ?? new Uint8Array(), { now: Date.now(), peerId: serving.peerId })
  }

  test('publishes records for its digest, its name and all nodes, and a tombstone when it drains', async () => {
    const start = await relay()
    const engine = scripted()
    const serving = await node(engine, { bootstrap: start.addresses() })
    await event(serving, 'advertised')
    const dht = await joined(start.addresses())
    for (const key of [modelCid(engine.model.digest), nameCid(engine.model.name), anyNodeCid()]) {
      expect(await providers(dht, key)).toEqual([serving.peerId.toString()])
    }
    expect(await found(dht, serving)).toMatchObject({ draining: false, models: [{ name: engine.model.name }] })
    await serving.drain()
    expect(await found(dht, serving)).toMatchObject({ draining: true, models: [], addresses: [] })
  })

  test('starts without its bootstrap peer, and advertises its model when this peer starts', async () => {
    const key = await generateKeyPair('Ed25519')
    const first = await startRelay({ listen: [LOOPBACK], scope: 'local', privateKey: key, logger: silent })
    const [address = ''] = first.addresses()
    await first.stop()

    const serving = await node(scripted(), { bootstrap: [address] })
    const advertised = event(serving, 'advertised')
    const listen = [address.slice(0, address.indexOf('/p2p/'))]
    const later = await startRelay({ listen, scope: 'local', privateKey: key, logger: silent })
    onTestFinished(async () => await later.stop())
    expect((await advertised).card.addresses).toEqual(serving.addresses())
    expect(await found(await joined([address]), serving)).toMatchObject({ draining: false })
  })

  test('advertises its model again if its bootstrap peer restarts and has lost its records', async () => {
    const key = await generateKeyPair('Ed25519')
    const first = await startRelay({ listen: [LOOPBACK], scope: 'local', privateKey: key, logger: silent })
    const [address = ''] = first.addresses()
    const serving = await node(scripted(), { bootstrap: [address] })
    await event(serving, 'advertised')
    await first.stop()
    const listen = [address.slice(0, address.indexOf('/p2p/'))]
    const later = await startRelay({ listen, scope: 'local', privateKey: key, logger: silent })
    onTestFinished(async () => await later.stop())
    await event(serving, 'advertised')
    expect(await found(await joined([address]), serving)).toMatchObject({ draining: false })
  })

  test('withdraws the model at once if its engine has failed for good, and reports why', async () => {
    const start = await relay()
    const engine = scripted()
    const serving = await node(engine, { bootstrap: start.addresses() })
    await event(serving, 'advertised')
    const withdrawn = event(serving, 'withdrawn')
    const again = event(serving, 'advertised')
    engine.giveUp('it crashed three times within a minute')
    expect((await withdrawn).reason).toBe('potluck/scripted:F32: it crashed three times within a minute')
    expect((await again).card.models).toEqual([])
    expect(serving.card().models).toEqual([])
    const dht = await joined(start.addresses())
    await vi.waitUntil(async () => (await found(dht, serving)).models.length === 0, { timeout: 20_000 })
  })
})
