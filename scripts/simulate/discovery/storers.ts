/**
 * The provider records at all storers. The product's `ProviderStore` takes about 1 KB for a record, and 100,000 nodes
 * have 12 million of them. So a storer keeps only the list of the messages that it received. When somebody asks it for a
 * key, a store is filled from the messages for this key, in their order and at their times.
 */
import { PROVIDER_SAMPLE, PROVIDER_TTL_MS } from '@potluck/protocol'

import { ProviderStore, type ProviderStoreSize } from '../../../node/dht/provider-store.ts'
import type { Population, SimulatedPeer } from './population.ts'

export class Storers {
  readonly #population: Population
  readonly #keys: string[] = []
  readonly #keyNumbers = new Map<string, number>()
  /** The records, by index. */
  readonly #publishers: number[] = []
  readonly #keyOf: number[] = []
  readonly #times: number[] = []
  /** For each publisher, the number of the last search that found it. */
  readonly #marks: number[] = []
  #mark = 0

  constructor(population: Population) {
    this.#population = population
  }

  /** Creates a record that can be sent to many storers. Returns its index. */
  record(publisher: SimulatedPeer, key: string): number {
    this.#publishers.push(publisher.index)
    this.#marks[publisher.index] ??= 0
    this.#keyOf.push(this.#keyNumber(key))
    return this.#times.push(this.#population.clock.now()) - 1
  }

  /** A storer receives a record. */
  add(storer: SimulatedPeer, record: number): void {
    const { inbox } = storer
    inbox.push(record)
    // Each record is sent again before it expires, so half of a full list is old.
    if (inbox.length >= 256 && (inbox.length & (inbox.length - 1)) === 0) storer.inbox = this.#recent(inbox)
  }

  /** What the storer's store returns for a key. */
  sample(storer: SimulatedPeer, key: string): SimulatedPeer[] {
    const number = this.#keyNumber(key)
    const received = storer.inbox.filter((record) => this.#keyOf[record] === number)
    const providers = this.#fill(received).sample(key, PROVIDER_SAMPLE)
    return providers.map(({ peerId }) => this.#population.byId(peerId))
  }

  /** The size of the storer's store. */
  size(storer: SimulatedPeer): ProviderStoreSize {
    return this.#fill(storer.inbox).size
  }

  /**
   * The same for the publishers that skip the walk, which only count the providers: the newest ones, and without the
   * limits of the store, which an honest load never reaches.
   */
  newest(storer: SimulatedPeer, key: string): SimulatedPeer[] {
    const number = this.#keyNumber(key)
    const oldest = this.#population.clock.now() - PROVIDER_TTL_MS
    const found: SimulatedPeer[] = []
    this.#mark++
    for (let index = storer.inbox.length - 1; index >= 0 && found.length < PROVIDER_SAMPLE; index--) {
      const record = storer.inbox[index]!
      if (this.#times[record]! <= oldest) break
      const publisher = this.#publishers[record]!
      if (this.#keyOf[record] !== number || this.#marks[publisher] === this.#mark) continue
      this.#marks[publisher] = this.#mark
      found.push(this.#population.all[publisher]!)
    }
    return found
  }

  /** Fills a store with records that a storer received, in their order and at their times. */
  #fill(received: readonly number[]): ProviderStore {
    const { clock, random, all } = this.#population
    let now = clock.now()
    const store = new ProviderStore({ now: () => now, random: random.next })
    for (const record of this.#recent(received)) {
      const publisher = all[this.#publishers[record]!]!
      const { index } = publisher
      now = this.#times[record]!
      const subnet = `${index & 0xff}.${(index >> 8) & 0xff}.${index >> 16}.0/24`
      store.add(this.#keys[this.#keyOf[record]!]!, publisher.peerId, RECORD_ADDRESSES, subnet)
    }
    now = clock.now()
    return store
  }

  #recent(inbox: readonly number[]): number[] {
    const oldest = this.#population.clock.now() - PROVIDER_TTL_MS
    return inbox.filter((record) => this.#times[record]! > oldest)
  }

  #keyNumber(key: string): number {
    const known = this.#keyNumbers.get(key)
    if (known !== undefined) return known
    this.#keyNumbers.set(key, this.#keys.length)
    return this.#keys.push(key) - 1
  }
}

/** The addresses of a usual node: TCP and WebSocket over IPv4, and TCP over IPv6. */
const RECORD_ADDRESSES: readonly Uint8Array[] = [8, 10, 20].map((length) => new Uint8Array(length))
