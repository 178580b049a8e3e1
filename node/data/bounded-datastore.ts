/**
 * A datastore that limits the number of entries that other peers store.
 *
 * kad-dht keeps every valid record for two days. Key pairs cost nothing, so an attacker could fill the memory or disk
 * of every node. At its limit, this datastore deletes an entry of the subnet that has the most, so that cards of nodes
 * that do not exist displace each other, and not those of honest nodes. A node with a full disk would fail.
 */
import { BaseDatastore } from 'datastore-core'
import { Key, type Datastore, type KeyQuery, type Query } from 'interface-datastore'
import type { AbortOptions } from '@libp2p/interface'

import { requestSource } from '../dht/request-source.ts'
import { FairKeys } from './fair-keys.ts'

interface Bounded {
  prefix: string
  keys: FairKeys
}

export class BoundedDatastore extends BaseDatastore {
  readonly #inner: Datastore
  readonly #bounds: readonly Bounded[]

  /** @param bounds the highest number of keys with each prefix */
  static async open(inner: Datastore, bounds: Readonly<Record<string, number>>): Promise<BoundedDatastore> {
    const entries = Object.entries(bounds).map(([prefix, max]) => ({ prefix, keys: new FairKeys(max) }))
    for (const { prefix, keys } of entries) {
      for await (const key of inner.queryKeys({ prefix })) keys.write(key.toString(), '')
    }
    return new BoundedDatastore(inner, entries)
  }

  private constructor(inner: Datastore, bounds: readonly Bounded[]) {
    super()
    this.#inner = inner
    this.#bounds = bounds
  }

  override async put(key: Key, value: Uint8Array, options?: AbortOptions): Promise<Key> {
    // The value can be a part of a pool of Node: a peer of 200 bytes would keep 64 KiB in a datastore in memory.
    await this.#inner.put(key, new Uint8Array(value), options)
    const name = key.toString()
    for (const { prefix, keys } of this.#bounds) {
      const surplus = name.startsWith(prefix) ? keys.write(name, requestSource()) : undefined
      if (surplus !== undefined) await this.delete(new Key(surplus), options)
    }
    return key
  }

  override async get(key: Key, options?: AbortOptions): Promise<Uint8Array> {
    return await this.#inner.get(key, options)
  }

  override async has(key: Key, options?: AbortOptions): Promise<boolean> {
    return await this.#inner.has(key, options)
  }

  override async delete(key: Key, options?: AbortOptions): Promise<void> {
    for (const { keys } of this.#bounds) keys.delete(key.toString())
    await this.#inner.delete(key, options)
  }

  override query(query: Query, options?: AbortOptions): ReturnType<Datastore['query']> {
    return this.#inner.query(query, options)
  }

  override queryKeys(query: KeyQuery, options?: AbortOptions): ReturnType<Datastore['queryKeys']> {
    return this.#inner.queryKeys(query, options)
  }
}
