/**
 * Remembers the sequence of the newest card of each node, also after a restart. Without this, a peer could give a
 * restarted storer an older card of a node that has moved or withdrawn its model, until that card expires.
 */
import { CARD_TTL_MS, MAX_REMEMBERED_CARDS, type NewestCards } from '@potluck/protocol'
import { Key, type Datastore } from 'interface-datastore'

import { requestSource } from '../dht/request-source.ts'
import { FairKeys } from './fair-keys.ts'

/** The keys in the datastore. The rest of the key is the peer id, and the value is the sequence as text. */
export const SEQUENCES_PREFIX = '/potluck/card-sequence/'

export class CardSequences implements NewestCards {
  readonly #datastore: Datastore
  readonly #newest = new Map<string, number>()
  readonly #peers = new FairKeys(MAX_REMEMBERED_CARDS)

  /**
   * Loads the saved sequences. Deletes those whose older cards have all expired.
   *
   * @param datastore must limit the number of keys with `SEQUENCES_PREFIX`
   * @param now milliseconds since the epoch
   */
  static async open(datastore: Datastore, now: () => number): Promise<CardSequences> {
    const sequences = new CardSequences(datastore)
    for await (const { key, value } of datastore.query({ prefix: SEQUENCES_PREFIX })) {
      const sequence = Number(Buffer.from(value).toString())
      if (sequence + CARD_TTL_MS > now()) sequences.#remember(key.baseNamespace(), sequence)
      else await datastore.delete(key)
    }
    return sequences
  }

  private constructor(datastore: Datastore) {
    this.#datastore = datastore
  }

  get(peer: string): number | undefined {
    return this.#newest.get(peer)
  }

  set(peer: string, sequence: number): void {
    const isKnown = this.#newest.get(peer) === sequence
    this.#remember(peer, sequence)
    if (!isKnown) void this.#save(peer, sequence)
  }

  #remember(peer: string, sequence: number): void {
    this.#newest.set(peer, sequence)
    const surplus = this.#peers.write(peer, requestSource())
    if (surplus !== undefined) this.#newest.delete(surplus)
  }

  async #save(peer: string, sequence: number): Promise<void> {
    try {
      await this.#datastore.put(new Key(SEQUENCES_PREFIX + peer), Buffer.from(String(sequence)))
    } catch {
      // The node stops. While the disk cannot be written, the datastore itself keeps the entry and reports the problem.
    }
  }
}
