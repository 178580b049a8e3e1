/**
 * Provider records on real DHT servers: they age, they outlive entries of the peer store, and they withstand attacks.
 */
import { create, toBinary } from '@bufbuild/protobuf'
import { generateKeyPair } from '@libp2p/crypto/keys'
import type { IdentifyResult, Libp2p } from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import {
  anyNodeCid,
  addProvider,
  askKad,
  FrameStream,
  KAD_PROTOCOL,
  MAX_KAD_ADDRESSES,
  PROVIDER_TTL_MS,
  walk,
  type KadPeer,
  type KadReply
} from '@potluck/protocol'
import { sha256 } from '@noble/hashes/sha2.js'
import { multiaddr } from '@multiformats/multiaddr'
import type { CID } from 'multiformats/cid'
import { describe, expect, onTestFinished, test, vi } from 'vitest'

import { KeepTopics } from '../../../node/advertise/keep-topics.ts'
import { topicNetwork } from '../../../node/advertise/topic-network.ts'
import type { TopicNetwork } from '../../../node/advertise/find-depth.ts'
import { TopicPublisher } from '../../../node/advertise/publish-topics.ts'
import { REQUEST_RATE } from '../../../node/dht/limits.ts'
import { startRelay, type PotluckNode } from '../../../node/index.ts'
import { openIdentity } from '../../../node/data/identity.ts'
import { createNodeHost, createRelayHost, type Host, type HostOptions } from '../../../node/network/libp2p.ts'
import { KadMessageSchema } from '../../../protocol/messages/kad_pb.ts'
import { ScriptedEngine } from '../../scripted-engine/engine.ts'
import { seeded } from '../../seeded.ts'
import { caller, event, LOOPBACK, node, silent } from './harness.ts'

const HOUR = 3_600_000
const KEY = anyNodeCid()
const never = new AbortController().signal

const scripted = (): ScriptedEngine => new ScriptedEngine({ reply: () => 'ok' })

async function hostOptions(now: () => number): Promise<HostOptions> {
  const bounds = { connections: 256, streams: 256 }
  const identity = await openIdentity({})
  return { identity, listen: [LOOPBACK], announce: [], scope: 'local', mdns: false, ...bounds, agent: 'test', now }
}

/** The host of a relay on a clock that the test can shift. */
async function relayHost(now: () => number): Promise<Host> {
  const host = await createRelayHost(await hostOptions(now))
  onTestFinished(async () => await host.stop())
  return host
}

function peerOf(host: Libp2p): KadPeer {
  return { peerId: host.peerId, addresses: host.getMultiaddrs() }
}

async function providersAt(client: Libp2p, server: KadPeer, key: CID = KEY): Promise<readonly KadPeer[]> {
  return (await askKad(client, server, { request: 'get_providers', key }, never)).providers
}

const names = (peers: readonly Pick<KadPeer, 'peerId'>[]): string[] =>
  peers.map(({ peerId }) => peerId.toString()).toSorted()

describe('after a node died', () => {
  test('the server goes on to list the others, also when its peer store forgot the dead node', async () => {
    let shift = 0
    const relay = await relayHost(() => Date.now() + shift)
    const bootstrap = relay.getMultiaddrs().map(String)
    const [dead, alive] = [await node(scripted(), { bootstrap }), await node(scripted(), { bootstrap })]
    await vi.waitUntil(() => relay.services.providers.size.peers === 2, { timeout: 20_000 })
    await dead.stop()
    // libp2p forgets a peer 6 hours after the last contact. The library's handler then fails for 42 hours.
    await relay.peerStore.delete(dead.peerId)
    const client = await caller()
    expect(names(await providersAt(client, peerOf(relay)))).toEqual(names([dead, alive]))

    shift = 7 * HOUR
    expect(names(await providersAt(client, peerOf(relay)))).not.toContain(dead.peerId.toString())
    const fresh = [await node(scripted(), { bootstrap }), await node(scripted(), { bootstrap })]
    const found = async (): Promise<readonly KadPeer[]> => await providersAt(client, peerOf(relay))
    const listed = async ({ peerId }: PotluckNode): Promise<boolean> => names(await found()).includes(peerId.toString())
    for (const one of fresh) await vi.waitUntil(async () => await listed(one), { timeout: 20_000, interval: 20 })
    expect(await listed(dead)).toBe(false)
    for (const { peerId, addresses } of await found()) {
      const serving = [alive, ...fresh].find((one) => one.peerId.equals(peerId))
      expect(addresses.map(String)).toEqual(serving?.addresses())
    }
  })

  test('a relay that restarts with an empty memory gets the records again when the node reconnects', async () => {
    const privateKey = await generateKeyPair('Ed25519')
    const first = await startRelay({ listen: [LOOPBACK], scope: 'local', privateKey, logger: silent })
    const [address = ''] = first.addresses()
    const serving = await node(scripted(), { bootstrap: [address] })
    await event(serving, 'advertised')
    await first.stop()
    const listen = [address.slice(0, address.indexOf('/p2p/'))]
    const second = await startRelay({ listen, scope: 'local', privateKey, logger: silent })
    onTestFinished(async () => await second.stop())
    const client = await caller()
    const server = { peerId: peerIdFromPrivateKey(privateKey), addresses: [multiaddr(address)] }
    const listed = async (): Promise<boolean> => (await providersAt(client, server)).length === 1
    await vi.waitUntil(listed, { timeout: 10_000, interval: 50 })
  })
})

describe('hostile provider records', () => {
  /** Sends bytes as a message to a DHT server. Resolves when the server closed or reset the stream. */
  async function send(from: Libp2p, to: KadPeer, bytes: Uint8Array): Promise<void> {
    const frames = new FrameStream(await from.dialProtocol([...to.addresses], KAD_PROTOCOL), { maxFrameBytes: 65_536 })
    const wait = { timeoutMs: 20_000, timeoutCode: 'token_timeout' } as const
    // The server refuses a message that is too long before the end of it.
    await frames.send(bytes, wait).catch(() => undefined)
    await frames.close().catch(() => undefined)
    await frames.receive(wait).catch(() => undefined)
  }

  function message(providers: readonly { id: Uint8Array; multiaddrs: Uint8Array[] }[], key: Uint8Array): Uint8Array {
    return toBinary(KadMessageSchema, create(KadMessageSchema, { type: 2, key, providers: [...providers] }))
  }

  test('do not reach the store beyond its bounds, and the server goes on', async () => {
    const relay = await relayHost(Date.now)
    const [attacker, honest] = [await caller(), await caller()]
    const to = peerOf(relay)
    const own = attacker.peerId.toMultihash().bytes
    const foreign = honest.peerId.toMultihash().bytes
    const address = multiaddr('/ip4/127.0.0.1/tcp/4001').bytes
    const key = KEY.multihash.bytes
    const many = Array.from({ length: 1_000 }, (_, port) => multiaddr(`/ip4/127.0.0.1/tcp/${port + 1}`).bytes)

    // Records of others, which the sender could invent, behind and without its own.
    await send(attacker, to, message([{ id: foreign, multiaddrs: [address] }], key))
    await send(attacker, to, message(Array(10_000).fill({ id: foreign, multiaddrs: [address] }), key))
    // Not a key, not an id, not addresses, not a message.
    await send(attacker, to, message([{ id: own, multiaddrs: [address] }], new Uint8Array(60_000).fill(1)))
    await send(attacker, to, message([{ id: own, multiaddrs: [address] }], new Uint8Array()))
    await send(attacker, to, message([{ id: new Uint8Array(100), multiaddrs: [address] }], key))
    await send(attacker, to, message([{ id: own, multiaddrs: [new Uint8Array(100), new Uint8Array(5_000)] }], key))
    await send(attacker, to, message([{ id: own, multiaddrs: [] }], key))
    await send(attacker, to, new Uint8Array(500).fill(255))
    expect(relay.services.providers.size).toMatchObject({ records: 0, addressBytes: 0 })

    await send(attacker, to, message([{ id: own, multiaddrs: many }], key))
    await vi.waitUntil(() => relay.services.providers.size.records === 1)
    expect(relay.services.providers.sample(relayKey(KEY), 1)[0]?.addresses).toHaveLength(MAX_KAD_ADDRESSES)
    const known = await relay.peerStore.get(attacker.peerId)
    expect(known.addresses.length).toBeLessThan(MAX_KAD_ADDRESSES)

    const provider = { peerId: honest.peerId, addresses: [multiaddr('/ip4/127.0.0.1/tcp/4001')] }
    await addProvider(honest, to, { key: KEY, provider }, never)
    await vi.waitUntil(() => relay.services.providers.size.records === 2)
    expect(names(await providersAt(honest, to))).toContain(honest.peerId.toString())
  })

  test('a peer that sends too many requests is refused, and others are answered', async () => {
    const relay = await relayHost(Date.now)
    const [attacker, honest] = [await caller(), await caller()]
    const request = { request: 'find_node', key: KEY } as const
    let answered = 0
    const ask = async (): Promise<void> => {
      for (;;) {
        await askKad(attacker, peerOf(relay), request, never)
        answered++
      }
    }
    await expect(Promise.all(Array.from({ length: 16 }, ask))).rejects.toThrow(/the stream was reset|sent no reply/)
    expect(answered).toBeGreaterThanOrEqual(REQUEST_RATE.capacity)
    await askKad(honest, peerOf(relay), request, never)
  })

  test('a request with a key that is not a multihash is refused, and others are answered', async () => {
    const relay = await relayHost(Date.now)
    const client = await caller()
    await send(client, peerOf(relay), toBinary(KadMessageSchema, create(KadMessageSchema, { type: 3 })))
    expect(await providersAt(client, peerOf(relay))).toEqual([])
  })
})

/** The store's key for a CID. */
function relayKey(cid: CID): string {
  return Buffer.from(cid.multihash.bytes).toString('base64').replace(/=+$/, '')
}

describe('72 hours of joins, deaths and renewals', () => {
  /** Virtual time for the loops of all nodes. The requests between them are real. */
  class World {
    now = Date.parse('2026-11-20T00:00:00Z')
    readonly #timers = new Set<{ at: number; fire: () => void }>()
    #running = 0

    network(host: Host, random: () => number): TopicNetwork {
      const real = topicNetwork(host, 'local', () => 0)
      const tracked =
        <Args extends unknown[], T>(work: (...args: Args) => Promise<T>) =>
        async (...args: Args): Promise<T> => {
          this.#running++
          return await work(...args).finally(() => this.#running--)
        }
      const sleep: TopicNetwork['sleep'] = async (ms, signal) => await this.#sleep(ms, signal)
      const { servers, ask, add, keep, share } = real
      return { servers: tracked(servers), ask: tracked(ask), add: tracked(add), keep, share, sleep, random }
    }

    /** Lets time pass, one timer after the other, and waits for the requests that each timer causes. */
    async pass(ms: number): Promise<void> {
      const end = this.now + ms
      for (;;) {
        await this.#idle()
        const [next] = [...this.#timers].toSorted((a, b) => a.at - b.at)
        if (next === undefined || next.at > end) break
        this.now = Math.max(this.now, next.at)
        this.#timers.delete(next)
        next.fire()
      }
      this.now = end
    }

    async #sleep(ms: number, signal: AbortSignal): Promise<void> {
      await new Promise<void>((resolve, reject) => {
        const timer = { at: this.now + ms, fire: resolve }
        this.#timers.add(timer)
        const stop = (): void => {
          this.#timers.delete(timer)
          reject(signal.reason as Error)
        }
        if (signal.aborted) stop()
        else signal.addEventListener('abort', stop, { once: true })
      })
    }

    async #idle(): Promise<void> {
      for (let quiet = 0; quiet < 5; quiet = this.#running === 0 ? quiet + 1 : 0) {
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
  }

  interface LightNode {
    host: Host
    /** The time of the first publication. */
    publishedAt: number
    /** The last time at which the node sent a record to a server. */
    sentAt: number
    stop: () => Promise<void>
  }

  async function join(world: World, relay: Host, random: () => number): Promise<LightNode> {
    const host = await createNodeHost(await hostOptions(() => world.now))
    const requests = world.network(host, random)
    const add: TopicNetwork['add'] = async (...args) => {
      light.sentAt = world.now
      await requests.add(...args)
    }
    const network = { ...requests, add }
    const stopping = new AbortController()
    const light: LightNode = {
      host,
      publishedAt: -Infinity,
      sentAt: -Infinity,
      stop: async () => {
        stopping.abort()
        await host.stop()
      }
    }
    const keep = new KeepTopics({
      publisher: new TopicPublisher(host.peerId, network),
      network,
      topics: () => [{ kind: 'nodes' }],
      now: () => world.now,
      onResult: ({ storers }) => {
        if (storers > 0) light.publishedAt = world.now
      }
    })
    host.addEventListener('peer:identify', ({ detail }: CustomEvent<IdentifyResult>) => {
      const { peerId, protocols, listenAddrs } = detail
      if (protocols.includes(KAD_PROTOCOL)) keep.gained({ peerId, addresses: listenAddrs })
    })
    void keep.run(stopping.signal)
    await host.dial(relay.getMultiaddrs())
    await vi.waitUntil(() => light.publishedAt > 0, { timeout: 20_000, interval: 5 })
    return light
  }

  test(
    'every live node is found all the time, and no record is older than its lifetime',
    { timeout: 180_000 },
    async () => {
      const world = new World()
      const random = seeded(12)
      const relay = await relayHost(() => world.now)
      const client = await caller()
      const live = new Set<LightNode>()
      const dead: { light: LightNode; diedAt: number }[] = []
      onTestFinished(async () => void (await Promise.all([...live].map(async ({ stop }) => await stop()))))

      const lookup = async (): Promise<Set<string>> => {
        const found = new Set<string>()
        const ask = async (peer: KadPeer, signal: AbortSignal): Promise<KadReply> =>
          await askKad(client, peer, { request: 'get_providers', key: KEY }, signal)
        const sleep: TopicNetwork['sleep'] = async () => await new Promise(() => {})
        const target = sha256(KEY.multihash.bytes)
        for await (const { reply } of walk(target, { start: [peerOf(relay)], ask, sleep, signal: never })) {
          for (const name of names(reply.providers)) found.add(name)
        }
        return found
      }

      const end = world.now + 72 * HOUR
      let joins = 0
      for (let deaths = 0; world.now < end;) {
        if (live.size < 4 || (live.size < 6 && random() < 0.25)) {
          live.add(await join(world, relay, random))
          joins++
        } else if (live.size > 4 && random() < 0.3) {
          const killed = [...live][Math.floor(random() * live.size)]!
          live.delete(killed)
          await killed.stop()
          dead.push({ light: killed, diedAt: world.now })
          deaths++
        }
        await world.pass(40 * 60_000 + random() * 40 * 60_000)
        // libp2p's peer stores forget a peer after 6 hours. Their clock cannot be shifted.
        for (const one of dead.filter(({ diedAt }) => world.now - diedAt > 6 * HOUR)) {
          dead.splice(dead.indexOf(one), 1)
          const hosts = [relay, client, ...[...live].map(({ host }) => host)]
          await Promise.all(hosts.map(async (host) => await host.peerStore.delete(one.light.host.peerId)))
        }
        const found = await lookup()
        for (const { host } of live) expect(found).toContain(host.peerId.toString())
        for (const { light } of dead) {
          const age = world.now - light.sentAt
          expect(found.has(light.host.peerId.toString()) && age >= PROVIDER_TTL_MS).toBe(false)
        }
      }
      expect(joins).toBeGreaterThan(10)
    }
  )
})
