/**
 * The provider records that this peer stores for others. In memory, because the publishers send them again within an
 * hour.
 *
 * `@libp2p/kad-dht` stores them in its datastore instead, for 48 hours and without a limit, and reads all records of a
 * key for each request. Here every operation takes the same time for any number of records.
 *
 * The attacks: one peer publishes under many keys; many peers of one subnet publish under one key, to be the only ones
 * that clients find; many subnets fill the memory. At each limit the store removes a random record of the largest
 * subnet. So an attacker displaces its own records first.
 */
import type { PeerId } from '@libp2p/interface'
import { PROVIDER_TTL_MS } from '@potluck/protocol'

import { Bag, Groups } from './groups.ts'
import { PROVIDER_LIMITS, type ProviderLimits } from './limits.ts'

/** A peer that published a record, and where it can be reached. */
export interface Provider {
  /** Peer id. */
  peer: string
  /** The multihash of the peer id. A parsed id or address takes ten times the memory. */
  id: Uint8Array
  /** Multiaddrs. */
  addresses: readonly Uint8Array[]
}

export interface ProviderStoreInit {
  /** Milliseconds since the epoch. */
  now: () => number
  /** Uniform in [0, 1). */
  random: () => number
  /** Default `PROVIDER_LIMITS`. */
  limits?: Partial<ProviderLimits>
}

export interface ProviderStoreSize {
  records: number
  keys: number
  peers: number
  addressBytes: number
}

interface StoredRecord extends Provider {
  key: string
  subnet: string | undefined
  storedAt: number
  inKey: number
  inKeySubnet: number
  inSubnet: number
}

interface KeyRecords {
  all: Bag<'inKey', StoredRecord>
  byPeer: Map<string, StoredRecord>
  bySubnet: Groups<'inKeySubnet', StoredRecord>
}

export class ProviderStore {
  readonly #now: () => number
  readonly #random: () => number
  readonly #limits: ProviderLimits
  readonly #keys = new Map<string, KeyRecords>()
  /** The records of each peer, the least recently written first. */
  readonly #peers = new Map<string, Set<StoredRecord>>()
  readonly #subnets = new Groups<'inSubnet', StoredRecord>('inSubnet')
  /** All records, the least recently written first. */
  readonly #all = new Set<StoredRecord>()
  #addressBytes = 0

  constructor({ now, random, limits = {} }: ProviderStoreInit) {
    this.#now = now
    this.#random = random
    this.#limits = { ...PROVIDER_LIMITS, ...limits }
  }

  get size(): ProviderStoreSize {
    const addressBytes = this.#addressBytes
    return { records: this.#all.size, keys: this.#keys.size, peers: this.#peers.size, addressBytes }
  }

  /**
   * Stores a record, or renews it.
   *
   * @param subnet of the connection from which the record came, because the publisher can invent the addresses.
   *   Undefined: a private network, which has no limit by subnet
   */
  add(key: string, peerId: PeerId, addresses: readonly Uint8Array[], subnet: string | undefined): void {
    this.#removeExpired()
    const peer = peerId.toString()
    const known = this.#keys.get(key)?.byPeer.get(peer)
    if (known !== undefined) this.#remove(known)
    this.#makeRoom(key, peer, subnet)
    const indices = { inKey: 0, inKeySubnet: 0, inSubnet: 0 }
    const id = ownCopy(peerId.toMultihash().bytes)
    this.#insert({ key, peer, id, addresses: addresses.map(ownCopy), subnet, storedAt: this.#now(), ...indices })
    while (this.#addressBytes > this.#limits.addressBytes) this.#removeOne(this.#subnets.pickFromLargest(this.#random))
  }

  /** Returns up to `count` providers of the key, each with the same chance, in random order. */
  sample(key: string, count: number): Provider[] {
    this.#removeExpired()
    const bag = this.#keys.get(key)?.all
    const chosen: Provider[] = []
    // Fisher and Yates' shuffle, as far as needed.
    while (bag !== undefined && chosen.length < Math.min(count, bag.items.length)) {
      const at = chosen.length
      const other = at + Math.floor(this.#random() * (bag.items.length - at))
      const record = bag.items[other]!
      if (this.#isExpired(record)) {
        this.#remove(record)
        continue
      }
      bag.swap(at, other)
      chosen.push({ peer: record.peer, id: record.id, addresses: record.addresses })
    }
    return chosen
  }

  remove(key: string, peerId: PeerId): void {
    const record = this.#keys.get(key)?.byPeer.get(peerId.toString())
    if (record !== undefined) this.#remove(record)
  }

  #makeRoom(key: string, peer: string, subnet: string | undefined): void {
    const { records, perKey, perPeer, perSubnet } = this.#limits
    const ofPeer = this.#peers.get(peer)
    if (ofPeer !== undefined && ofPeer.size >= perPeer) this.#removeOne(ofPeer.values().next().value)
    const ofKey = this.#keys.get(key)
    if (ofKey !== undefined && subnet !== undefined && ofKey.bySubnet.count(subnet) >= perSubnet) {
      this.#removeOne(ofKey.bySubnet.pick(subnet, this.#random))
    }
    if (ofKey !== undefined && ofKey.byPeer.size >= perKey) {
      this.#removeOne(ofKey.bySubnet.pickFromLargest(this.#random))
    }
    if (this.#all.size >= records) this.#removeOne(this.#subnets.pickFromLargest(this.#random))
  }

  /** Removes the records that expired since the last call. Each record is removed once. */
  #removeExpired(): void {
    for (const record of this.#all) {
      if (!this.#isExpired(record)) break
      this.#remove(record)
    }
  }

  /** Also true for a record from the future: the machine's clock was wrong when it was stored. */
  #isExpired({ storedAt }: StoredRecord): boolean {
    return Math.abs(this.#now() - storedAt) >= PROVIDER_TTL_MS
  }

  #insert(record: StoredRecord): void {
    const { key, peer, subnet, addresses } = record
    const ofKey: KeyRecords = this.#keys.get(key) ?? {
      all: new Bag('inKey'),
      byPeer: new Map(),
      bySubnet: new Groups('inKeySubnet')
    }
    const ofPeer = this.#peers.get(peer) ?? new Set()
    this.#keys.set(key, ofKey)
    this.#peers.set(peer, ofPeer)
    ofKey.all.add(record)
    ofKey.byPeer.set(peer, record)
    ofKey.bySubnet.add(subnet, record)
    ofPeer.add(record)
    this.#subnets.add(subnet, record)
    this.#all.add(record)
    this.#addressBytes += bytesOf(addresses)
  }

  #removeOne(record: StoredRecord | undefined): void {
    if (record === undefined) throw new Error('no record to remove')
    this.#remove(record)
  }

  #remove(record: StoredRecord): void {
    const { key, peer, subnet, addresses } = record
    const ofKey = this.#keys.get(key)!
    const ofPeer = this.#peers.get(peer)!
    ofKey.all.delete(record)
    ofKey.byPeer.delete(peer)
    ofKey.bySubnet.delete(subnet, record)
    ofPeer.delete(record)
    if (ofKey.byPeer.size === 0) this.#keys.delete(key)
    if (ofPeer.size === 0) this.#peers.delete(peer)
    this.#subnets.delete(subnet, record)
    this.#all.delete(record)
    this.#addressBytes -= bytesOf(addresses)
  }
}

/**
 * Bytes of a library can be a part of a pool of Node: 8 bytes would keep 64 KiB in memory, for as long as the record
 * exists.
 */
function ownCopy(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes)
}

function bytesOf(addresses: readonly Uint8Array[]): number {
  return addresses.reduce((sum, { byteLength }) => sum + byteLength, 0)
}
