/**
 * The handlers of provider records over a stub of kad-dht's private parts. test/e2e/node/providers.test.ts uses real
 * ones.
 */
import type { PeerId } from '@libp2p/interface'
import type { KadDHT } from '@libp2p/kad-dht'
import { peerIdFromMultihash } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { anyNodeCid, MAX_KAD_ADDRESSES, PROVIDER_SAMPLE } from '@potluck/protocol'
import { sha256 } from '@noble/hashes/sha2.js'
import { create as createMultihash } from 'multiformats/hashes/digest'
import { expect, test } from 'vitest'

import { useProviderStore, type ProviderHost } from '../../../node/dht/provider-handlers.ts'
import { ProviderStore } from '../../../node/dht/provider-store.ts'
import { seeded } from '../../seeded.ts'

const KEY = anyNodeCid().multihash.bytes
const PUBLIC = multiaddr('/ip4/1.2.3.4/tcp/4001').bytes
const PRIVATE = multiaddr('/ip4/192.168.1.2/tcp/4001').bytes

function peer(name: string): PeerId {
  return peerIdFromMultihash(createMultihash(0x12, sha256(new TextEncoder().encode(name))))
}

interface Message {
  type: string
  key?: Uint8Array
  providers: { id: Uint8Array; multiaddrs: Uint8Array[] }[]
  closer: { id: Uint8Array; multiaddrs: Uint8Array[] }[]
}

type Handle = (sender: PeerId, message: Message) => Promise<Message | undefined>

interface Fixture {
  store: ProviderStore
  add: (sender: PeerId, multiaddrs: Uint8Array[], key?: Uint8Array) => Promise<unknown>
  get: (key?: Uint8Array) => Promise<Message | undefined>
}

function fixture({
  remote = '/ip4/1.2.3.4/tcp/50000',
  closest = async () => [{ id: peer('close'), multiaddrs: [multiaddr(PUBLIC), multiaddr(PRIVATE)] }]
}: { remote?: string; closest?: () => Promise<unknown[]> } = {}): Fixture {
  const store = new ProviderStore({ now: () => 0, random: seeded(1), limits: { perSubnet: 2 } })
  const nothing = { handle: async () => await Promise.reject(new Error('the handler of kad-dht')) }
  const handlers: Record<string, { handle: Handle }> = { ADD_PROVIDER: nothing, GET_PROVIDERS: nothing }
  const none = async (): Promise<void> => {}
  const dht = {
    rpc: { handlers },
    providers: { addProvider: none, removeProvider: none, getProviders: none },
    peerRouting: { getClosestPeersOffline: closest }
  } as unknown as KadDHT
  const host: ProviderHost = {
    services: { dht },
    getConnections: () => [{ direct: true, remoteAddr: multiaddr(remote) }]
  }
  useProviderStore(host, { store, scope: 'public' })
  return {
    store,
    add: async (sender, multiaddrs, key = KEY) => {
      const providers = [{ id: sender.toMultihash().bytes, multiaddrs }]
      return await handlers['ADD_PROVIDER']?.handle(sender, { type: 'ADD_PROVIDER', key, providers, closer: [] })
    },
    get: async (key = KEY) => {
      return await handlers['GET_PROVIDERS']?.handle(peer('asker'), {
        type: 'GET_PROVIDERS',
        key,
        providers: [],
        closer: []
      })
    }
  }
}

test('a record has the public addresses that its publisher sent, and the reply has closer servers', async () => {
  const { add, get } = fixture()
  await add(peer('a'), [PRIVATE, PUBLIC, new Uint8Array(300), new Uint8Array([255, 255])])
  expect(await get()).toMatchObject({
    type: 'GET_PROVIDERS',
    key: KEY,
    providers: [{ id: peer('a').toMultihash().bytes, multiaddrs: [PUBLIC] }],
    closer: [{ id: peer('close').toMultihash().bytes, multiaddrs: [PUBLIC] }]
  })
})

test('a record without a public address is not stored', async () => {
  const { store, add } = fixture()
  await add(peer('a'), [PRIVATE])
  await add(peer('b'), [])
  expect(store.size.records).toBe(0)
})

test('only the first addresses of a message are read', async () => {
  const { add, get } = fixture()
  const many = Array.from({ length: 20_000 }, (_, index) => multiaddr(`/ip4/1.2.3.4/tcp/${index + 1}`).bytes)
  await add(peer('a'), many)
  expect((await get())?.providers[0]?.multiaddrs).toEqual(many.slice(0, MAX_KAD_ADDRESSES))
})

test('the subnet of a record is that of the connection, not of the addresses in the record', async () => {
  const { store, add } = fixture()
  for (let index = 0; index < 10; index++) {
    await add(peer(`${index}`), [multiaddr(`/ip4/${index + 1}.2.3.4/tcp/1`).bytes])
  }
  expect(store.size.records).toBe(2)
})

test('a reply has a bounded sample, and does not fail when the routing table does', async () => {
  const closest = async (): Promise<unknown[]> => await Promise.reject(new Error('the datastore fails'))
  const { add, get } = fixture({ remote: '/ip4/127.0.0.1/tcp/50000', closest })
  for (let index = 0; index < 200; index++) await add(peer(`${index}`), [PUBLIC])
  const reply = await get()
  expect(reply?.providers).toHaveLength(PROVIDER_SAMPLE)
  expect(reply?.closer).toEqual([])
})

test.each([
  ['empty', new Uint8Array()],
  ['long', new Uint8Array(1_000)],
  ['not a multihash', new Uint8Array([1, 2, 3])]
])('a key that is %s is refused', async (_, key) => {
  const { store, add, get } = fixture()
  await expect(add(peer('a'), [PUBLIC], key)).rejects.toThrow('invalid key')
  await expect(get(key)).rejects.toThrow('invalid key')
  expect(store.size.records).toBe(0)
})

test('another version of kad-dht is an error in one line', () => {
  const store = new ProviderStore({ now: () => 0, random: seeded(1) })
  const host: ProviderHost = { services: { dht: {} as unknown as KadDHT }, getConnections: () => [] }
  expect(() => useProviderStore(host, { store, scope: 'local' })).toThrow(
    'cannot replace the provider records of @libp2p/kad-dht: its private parts differ from version 16.4.5; install that version'
  )
})
