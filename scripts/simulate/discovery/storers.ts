/**
 * The provider records at all storers. The product's `ProviderStore` takes about 1 KB for a record, and 100,000 nodes
 * have 12 million of them. So a storer keeps only the list of the messages that it received. When somebody asks it, its
 * store is filled from these messages, in their order and at their times.
 */
import { PROVIDER_SAMPLE, PROVIDER_TTL_MS } from '@potluck/protocol'
import { LRUCache } from 'lru-cache'

import { ProviderStore } from '../../../node/dht/provider-store.ts'
import type { Population, SimulatedPeer } from './population.ts'

/** Stores that are filled at the same time, about 100 KB each. */
const FILLED = 4_096

interface Filled {
  store: ProviderStore
  /** The time that the store sees. */
  at: number
}

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
  readonly #filled = new LRUCache<number, Filled>({ max: FILLED })

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
    const filled = this.#filled.get(storer.index)
    if (filled === undefined) return
    this.#replay(filled, record)
    filled.at = this.#population.clock.now()
  }

  /** What the storer's store returns for a key. */
  sample(storer: SimulatedPeer, key: string): SimulatedPeer[] {
    const filled = this.#filled.get(storer.index) ?? this.fill(storer)
    this.#filled.set(storer.index, filled)
    filled.at = this.#population.clock.now()
    return filled.store.sample(key, PROVIDER_SAMPLE).map(({ peerId }) => this.#population.byId(peerId))
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

  /** Fills the store of a storer from all messages that it received and that can still matter. */
  fill(storer: SimulatedPeer): Filled {
    const filled = { at: 0 } as Filled
    filled.store = new ProviderStore({ now: () => filled.at, random: this.#population.random.next })
    for (const record of this.#recent(storer.inbox)) this.#replay(filled, record)
    filled.at = this.#population.clock.now()
    return filled
  }

  #replay(filled: Filled, record: number): void {
    const publisher = this.#population.all[this.#publishers[record]!]!
    filled.at = this.#times[record]!
    const [a, b, c] = [publisher.index & 0xff, (publisher.index >> 8) & 0xff, publisher.index >> 16]
    filled.store.add(this.#keys[this.#keyOf[record]!]!, publisher.peerId, RECORD_ADDRESSES, `${a}.${b}.${c}.0/24`)
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
export const RECORD_ADDRESSES: readonly Uint8Array[] = [8, 10, 20].map((length) => new Uint8Array(length))
