/**
 * The provider records at all storers. The product's `ProviderStore` takes about 1 KB for a record, and 100,000 nodes
 * have millions of them. So each record is kept once, in a list for its key, with the storers that received it. When
 * somebody asks a storer for a key, a store is filled from the records for this key, in their order and at their times.
 */
import { PROVIDER_SAMPLE, PROVIDER_TTL_MS } from '@potluck/protocol'

import { ProviderStore, type ProviderStoreSize } from '../../../node/dht/provider-store.ts'
import type { Population, ShortPeer, SimulatedPeer } from './population.ts'

/** A record that a publisher sent to some storers at one time. */
export interface SimulatedRecord {
  publisher: SimulatedPeer
  time: number
  /** Indices of the storers that received it. */
  storers: number[]
}

interface KeyRecords {
  /** Oldest first. */
  records: SimulatedRecord[]
  /** Length at which expired records are removed. */
  sweepAt: number
}

const FIRST_SWEEP = 64

export class Storers {
  readonly #population: Population
  readonly #keys = new Map<string, KeyRecords>()

  constructor(population: Population) {
    this.#population = population
  }

  /** Returns the record that the publisher sends for this key now. */
  record(publisher: SimulatedPeer, key: string): SimulatedRecord {
    const time = this.#population.clock.now()
    const ofKey = this.#keys.get(key) ?? { records: [], sweepAt: FIRST_SWEEP }
    this.#keys.set(key, ofKey)
    for (let index = ofKey.records.length - 1; index >= 0; index--) {
      const record = ofKey.records[index]!
      if (record.time !== time) break
      if (record.publisher === publisher) return record
    }
    if (ofKey.records.length >= ofKey.sweepAt) {
      ofKey.records = this.#recent(ofKey.records)
      ofKey.sweepAt = Math.max(FIRST_SWEEP, 2 * ofKey.records.length)
    }
    const record = { publisher, time, storers: [] }
    ofKey.records.push(record)
    return record
  }

  /** A storer receives a record. */
  add(storer: SimulatedPeer, { storers }: SimulatedRecord): void {
    storers.push(storer.index)
  }

  /** What the storer's store returns for a key. */
  sample(storer: SimulatedPeer, key: string): SimulatedPeer[] {
    const records = this.#keys.get(key)?.records ?? []
    const received = records.filter(({ storers }) => storers.includes(storer.index))
    const store = this.#fill(received.map((record) => ({ key, record })))
    return store.sample(key, PROVIDER_SAMPLE).map(({ peer }) => this.#population.byId(peer))
  }

  /** The sizes of some storers' stores. */
  sizes(storers: readonly SimulatedPeer[]): ProviderStoreSize[] {
    const received = new Map(storers.map(({ index }) => [index, [] as { key: string; record: SimulatedRecord }[]]))
    for (const [key, { records }] of this.#keys) {
      for (const record of this.#recent(records)) {
        for (const storer of record.storers) received.get(storer)?.push({ key, record })
      }
    }
    return [...received.values()].map((all) => {
      const inOrder = all.toSorted((a, b) => a.record.time - b.record.time)
      return this.#fill(inOrder).size
    })
  }

  /**
   * The same as `sample` for the publishers that skip the walk, which only count the providers: the newest ones, and
   * without the limits of the store, which an honest load never reaches.
   */
  newest(storer: SimulatedPeer, key: string): ShortPeer[] {
    const records = this.#keys.get(key)?.records ?? []
    const oldest = this.#population.clock.now() - PROVIDER_TTL_MS
    const found = new Set<ShortPeer>()
    for (let index = records.length - 1; index >= 0 && found.size < PROVIDER_SAMPLE; index--) {
      const { publisher, time, storers } = records[index]!
      if (time <= oldest) break
      if (!found.has(publisher.kadShort) && storers.includes(storer.index)) found.add(publisher.kadShort)
    }
    return [...found]
  }

  /** Fills a store with records that a storer received, in their order and at their times. */
  #fill(received: readonly { key: string; record: SimulatedRecord }[]): ProviderStore {
    const { clock, random } = this.#population
    let now = clock.now()
    const oldest = now - PROVIDER_TTL_MS
    const store = new ProviderStore({ now: () => now, random: random.next })
    for (const { key, record } of received) {
      if (record.time <= oldest) continue
      const { index, peerId } = record.publisher
      now = record.time
      const subnet = `${index & 0xff}.${(index >> 8) & 0xff}.${index >> 16}.0/24`
      store.add(key, peerId, RECORD_ADDRESSES, subnet)
    }
    now = clock.now()
    return store
  }

  #recent(records: readonly SimulatedRecord[]): SimulatedRecord[] {
    const oldest = this.#population.clock.now() - PROVIDER_TTL_MS
    return records.filter(({ time }) => time > oldest)
  }
}

/** The addresses of a usual node: TCP and WebSocket over IPv4, and TCP over IPv6. */
const RECORD_ADDRESSES: readonly Uint8Array[] = [8, 10, 20].map((length) => new Uint8Array(length))
