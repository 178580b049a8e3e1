/**
 * Serves ADD_PROVIDER and GET_PROVIDERS from the provider store, in place of `@libp2p/kad-dht`.
 *
 * The library's handlers have two faults, which docs/upstream/kad-dht-get-providers.md describes. One provider without
 * an entry in the peer store makes the reply for its key fail, for as long as its record exists. The reply has all
 * records of the key, in an order that an attacker can choose.
 *
 * The library has no option for its handlers, so this file replaces private parts of its pinned version.
 */
import type { Connection, PeerId, PeerInfo } from '@libp2p/interface'
import type { KadDHT } from '@libp2p/kad-dht'
import { isPrivate } from '@libp2p/utils'
import { multiaddr, type Multiaddr } from '@multiformats/multiaddr'
import {
  MAX_KAD_ADDRESS_BYTES,
  MAX_KAD_ADDRESSES,
  PROVIDER_SAMPLE,
  subnetOf,
  type KadMessage,
  type KadMessagePeer,
  type Scope
} from '@potluck/protocol'
import * as Digest from 'multiformats/hashes/digest'
import { equals } from 'uint8arrays/equals'
import { toString } from 'uint8arrays/to-string'

import type { ProviderStore } from './provider-store.ts'

interface Handler {
  handle: (sender: PeerId, message: KadMessage) => Promise<KadMessage | undefined>
}

/** The private parts of the library that this file uses. */
interface KadParts {
  rpc: { handlers: Record<'ADD_PROVIDER' | 'GET_PROVIDERS', Handler> }
  /** Records in the datastore. The library's own publication and lookup use it too. */
  providers: {
    addProvider: () => Promise<void>
    removeProvider: () => Promise<void>
    getProviders: () => Promise<PeerId[]>
  }
  peerRouting: { getClosestPeersOffline: (key: Uint8Array) => Promise<PeerInfo[]> }
}

export interface ProviderHost {
  services: { dht: KadDHT }
  getConnections: (peer: PeerId) => Pick<Connection, 'direct' | 'remoteAddr'>[]
}

/** Makes the host's DHT keep its provider records in the store. The caller starts the host afterwards. */
export function useProviderStore(host: ProviderHost, { store, scope }: { store: ProviderStore; scope: Scope }): void {
  const { rpc, providers, peerRouting } = privateParts(host.services.dht)
  rpc.handlers.ADD_PROVIDER = {
    handle: async (sender, message) => {
      addProvider(store, { sender, message, scope, subnet: senderSubnet(host, sender) })
      return undefined
    }
  }
  rpc.handlers.GET_PROVIDERS = {
    handle: async (_, { key, clusterLevel }) => {
      const closer = await peerRouting.getClosestPeersOffline(checkedKey(key)).catch(() => [])
      return {
        type: 'GET_PROVIDERS',
        ...(key === undefined ? {} : { key }),
        ...(clusterLevel === undefined ? {} : { clusterLevel }),
        closer: closer.flatMap(({ id, multiaddrs }) => messagePeer(id.toMultihash().bytes, usable(multiaddrs, scope))),
        providers: store
          .sample(recordKey(checkedKey(key)), PROVIDER_SAMPLE)
          .flatMap(({ id, addresses }) => messagePeer(id, addresses))
      }
    }
  }
  // Otherwise the library would store this host's own records in the datastore and publish them again.
  providers.addProvider = async () => {}
  providers.removeProvider = async () => {}
  providers.getProviders = async () => []
}

/** The store's key for the key of a DHT message, which is a multihash. */
export function recordKey(key: Uint8Array): string {
  return toString(key, 'base64')
}

/** Stores the sender's own record. A message can have others, which anybody could invent. */
function addProvider(
  store: ProviderStore,
  { sender, message, scope, subnet }: { sender: PeerId; message: KadMessage; scope: Scope; subnet: string | undefined }
): void {
  const key = checkedKey(message.key)
  const senderId = sender.toMultihash().bytes
  const own = message.providers.find(({ id }) => equals(id, senderId))
  const addresses = usable((own?.multiaddrs ?? []).slice(0, MAX_KAD_ADDRESSES).flatMap(parsed), scope)
  // A record without an address is of no use, because no peer could dial the publisher.
  if (addresses.length > 0) store.add(recordKey(key), sender, addresses, subnet)
}

/** @throws Error if the key is not a multihash of a usual length */
function checkedKey(key: Uint8Array | undefined): Uint8Array {
  try {
    if (key !== undefined && key.byteLength <= MAX_KEY_BYTES && Digest.decode(key) !== undefined) return key
  } catch {
    // Refused below.
  }
  throw new Error('invalid key in a DHT message: not a multihash')
}

/** A multihash of a 512-bit hash has 66 bytes. */
const MAX_KEY_BYTES = 66

function parsed(bytes: Uint8Array): Multiaddr[] {
  if (bytes.byteLength > MAX_KAD_ADDRESS_BYTES) return []
  try {
    return [multiaddr(bytes)]
  } catch {
    return []
  }
}

function usable(addresses: readonly Multiaddr[], scope: Scope): Uint8Array[] {
  return addresses
    .filter((address) => scope === 'local' || !isPrivate(address))
    .slice(0, MAX_KAD_ADDRESSES)
    .map(({ bytes }) => bytes)
}

function messagePeer(id: Uint8Array, multiaddrs: readonly Uint8Array[]): KadMessagePeer[] {
  return multiaddrs.length === 0 ? [] : [{ id, multiaddrs: [...multiaddrs] }]
}

/** The subnet from which the sender is connected. A relayed connection counts for the relay's subnet. */
function senderSubnet(host: ProviderHost, sender: PeerId): string | undefined {
  const connections = host.getConnections(sender)
  const connection = connections.find(({ direct }) => direct) ?? connections[0]
  return connection === undefined ? undefined : subnetOf(connection.remoteAddr)
}

/** @throws Error if another version of the library is installed, whose private parts differ */
function privateParts(dht: KadDHT): KadParts {
  const parts = dht as unknown as Partial<KadParts>
  const exist =
    parts.rpc?.handlers?.ADD_PROVIDER !== undefined &&
    parts.rpc.handlers.GET_PROVIDERS !== undefined &&
    ['addProvider', 'removeProvider', 'getProviders'].every(
      (name) => typeof (parts.providers as Record<string, unknown> | undefined)?.[name] === 'function'
    ) &&
    typeof parts.peerRouting?.getClosestPeersOffline === 'function'
  if (!exist) {
    throw new Error(
      'cannot replace the provider records of @libp2p/kad-dht: its private parts differ from version 16.4.5; install that version'
    )
  }
  return parts as KadParts
}
