/**
 * A datastore that limits the number of entries that other peers store.
 *
 * kad-dht keeps every valid record for two days. Key pairs cost nothing, so an attacker could fill the memory or disk of
 * every node. At its limit, this datastore deletes the entry that was written least recently. The deleted entry may be
 * honest, but its owner publishes it again. A node with a full disk would fail.
 */
import { BaseDatastore } from 'datastore-core'
import { Key, type Datastore, type KeyQuery, type Query } from 'interface-datastore'
import type { AbortOptions } from '@libp2p/interface'

interface Bounded {
  prefix: string
  max: number
  /** The least recently written key first. */
  keys: Set<string>
}

export class BoundedDatastore extends BaseDatastore {
  readonly #inner: Datastore
  readonly #bounds: readonly Bounded[]

  /** @param bounds the highest number of keys with each prefix */
  static async open(inner: Datastore, bounds: Readonly<Record<string, number>>): Promise<BoundedDatastore> {
    const entries = Object.entries(bounds).map(([prefix, max]) => ({ prefix, max, keys: new Set<string>() }))
    for (const { prefix, keys } of entries) {
      for await (const key of inner.queryKeys({ prefix })) keys.add(key.toString())
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
    for (const { prefix, max, keys } of this.#bounds) {
      if (!name.startsWith(prefix)) continue
      keys.delete(name)
      keys.add(name)
      const oldest = keys.values().next()
      if (keys.size > max && !oldest.done) await this.delete(new Key(oldest.value), options)
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
