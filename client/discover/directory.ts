/**
 * What the client knows of the nodes: cards, the lookups that found them, and both refreshed.
 *
 * A lookup streams: whoever waits for it can act on the first card. It is shared by all requests for
 * the same key, and goes on for them when one of them has what it needs.
 */
import { deadline, PotluckError, type Load } from '@potluck/protocol'
import type { CID } from 'multiformats/cid'

import {
  CARD_REFRESH_MS,
  CARD_USABLE_MS,
  GATHER_MS,
  LOOKUP_REFRESH_MS,
  LOOKUP_TIMEOUT_MS,
  MAX_ASKED,
  MAX_CARDS,
  MAX_LOOKUPS,
  MAX_PROVIDERS,
  PARALLEL_CARDS,
  SLOW_CARD_MS
} from '../constants.ts'
import type { Dialable, Network } from '../network/network.ts'
import { raceAbort } from '../race-abort.ts'
import { askCard, parseAddresses, type Sighting } from './ask-card.ts'

interface Lookup {
  startedAt: number
  /** Peer ids, in the order in which their cards came. */
  peers: string[]
  /** Set at the end. */
  outcome: { error?: Error } | undefined
  /** Resolves at the next change of `peers` or `outcome`. */
  changed: PromiseWithResolvers<void>
}

export interface LookupOptions {
  signal: AbortSignal
  /** Forget what the last lookup found and walk the DHT again. */
  fresh?: boolean
}

export interface GatherOptions extends LookupOptions {
  /** Wait for the end of the lookup. */
  whole?: boolean
}

export class Directory {
  readonly #network: Network
  readonly #now: () => number
  readonly #stopped = new AbortController()
  readonly #sightings = new Map<string, Sighting>()
  readonly #lookups = new Map<string, Lookup>()

  /** @param now milliseconds since the epoch */
  constructor(network: Network, now: () => number = Date.now) {
    this.#network = network
    this.#now = now
  }

  /**
   * Every node found under the key, as its card comes in.
   *
   * @throws PotluckError `no_providers` if the network could not be joined, `aborted` by the signal
   */
  async *find(cid: CID, { signal, fresh = false }: LookupOptions): AsyncGenerator<Sighting> {
    const lookup = this.#lookup(cid, fresh)
    for (let index = 0; ; index++) {
      while (index >= lookup.peers.length && lookup.outcome === undefined) {
        await raceAbort(lookup.changed.promise, signal)
      }
      const peer = lookup.peers[index]
      if (peer === undefined) break
      const sighting = this.#usable(peer)
      if (sighting !== undefined) yield sighting
    }
    if (lookup.outcome?.error !== undefined && lookup.peers.length === 0) throw lookup.outcome.error
  }

  /**
   * The nodes to choose from: those known already, by whatever lookup, else those that come within
   * `GATHER_MS` of the first that is suitable. Empty where a whole lookup found none.
   *
   * @throws PotluckError `no_providers` if the network could not be joined, `aborted` by the signal
   */
  async gather(
    cid: CID,
    suitable: (sighting: Sighting) => boolean,
    { signal, fresh = false, whole = false }: GatherOptions
  ): Promise<Sighting[]> {
    const lookup = this.#lookup(cid, fresh)
    const choose = (): Sighting[] => this.known().filter(suitable)
    let found = choose()
    if (found.length > 0 && !whole) return found
    let grace: ReturnType<typeof setTimeout> | undefined
    let over = false
    try {
      while (lookup.outcome === undefined && !over) {
        await raceAbort(lookup.changed.promise, signal)
        found = choose()
        if (found.length === 0 || whole) continue
        grace ??= setTimeout(() => {
          over = true
          wake(lookup)
        }, GATHER_MS)
      }
    } finally {
      clearTimeout(grace)
    }
    if (lookup.outcome?.error !== undefined && found.length === 0) throw lookup.outcome.error
    return found
  }

  /** A load that the node told along with an answer. */
  reportLoad(peer: string, load: Load): void {
    const sighting = this.#sightings.get(peer)
    if (sighting !== undefined) this.#sightings.set(peer, { ...sighting, load, loadAt: this.#now() })
  }

  /** The nodes that are known now. */
  known(): Sighting[] {
    return [...this.#sightings.keys()].flatMap((peer) => this.#usable(peer) ?? [])
  }

  /** What is known now of one node. */
  sighting(peer: string): Sighting | undefined {
    return this.#usable(peer)
  }

  /** Asks nodes that are known for their card and load; gives those that answer. */
  async look(peers: readonly string[], signal: AbortSignal): Promise<Sighting[]> {
    const looks = peers.map(async (peer) => {
      const sighting = this.#usable(peer)
      if (sighting === undefined) return undefined
      const { card } = sighting
      return await this.#ask({ peerId: card.peerId, addresses: parseAddresses(card) }, signal)
    })
    return (await Promise.all(looks)).filter((sighting) => sighting !== undefined)
  }

  /** The node is not what its card says, or not there: its card has to be asked for again. */
  forget(peer: string): void {
    this.#sightings.delete(peer)
  }

  stop(): void {
    this.#stopped.abort(new Error('the client was stopped'))
  }

  #usable(peer: string): Sighting | undefined {
    const sighting = this.#sightings.get(peer)
    if (sighting === undefined) return undefined
    const until = Math.min(sighting.card.expiresAt, sighting.seenAt + CARD_USABLE_MS)
    return this.#now() < until ? sighting : undefined
  }

  /** The lookup under way or the last one; an old one is used and renewed beside it. */
  #lookup(cid: CID, fresh: boolean): Lookup {
    const key = cid.toString()
    const last = this.#lookups.get(key)
    if (last !== undefined && last.outcome === undefined) return last
    const known = fresh ? [] : (last?.peers ?? []).filter((peer) => this.#usable(peer) !== undefined)
    if (last !== undefined && known.length > 0 && this.#now() - last.startedAt < LOOKUP_REFRESH_MS) return last
    const lookup: Lookup = {
      startedAt: this.#now(),
      peers: known,
      outcome: undefined,
      changed: Promise.withResolvers()
    }
    remember(this.#lookups, key, lookup, MAX_LOOKUPS)
    void this.#run(cid, lookup)
    return lookup
  }

  async #run(cid: CID, lookup: Lookup): Promise<void> {
    const signal = deadline(LOOKUP_TIMEOUT_MS, this.#stopped.signal)
    const seen = new Set<string>()
    const asked: Promise<void>[] = []
    const slots = new Set<Promise<void>>()
    const outcome: Lookup['outcome'] = {}
    try {
      for await (const node of this.#network.providers(cid, signal)) {
        const peer = node.peerId.toString()
        if (seen.has(peer)) continue
        seen.add(peer)
        const ask = this.#refresh(node, signal).then((known) => {
          if (!known || lookup.peers.includes(peer)) return
          lookup.peers.push(peer)
          wake(lookup)
        })
        asked.push(ask)
        const slot = within(ask, SLOW_CARD_MS).finally(() => slots.delete(slot))
        slots.add(slot)
        if (lookup.peers.length >= MAX_PROVIDERS || seen.size >= MAX_ASKED) break
        if (slots.size >= PARALLEL_CARDS) await Promise.race(slots)
      }
    } catch (error) {
      // A lookup that ran out of time is not a failure: what it found stays.
      if (error instanceof Error && (error instanceof PotluckError || !signal.aborted)) outcome.error = error
    }
    await Promise.all(asked)
    lookup.outcome = outcome
    wake(lookup)
  }

  /** Asks for the card unless a recent one is known; false where the node gives none. */
  async #refresh(node: Dialable, signal: AbortSignal): Promise<boolean> {
    const peer = node.peerId.toString()
    const known = this.#usable(peer)
    if (known !== undefined && this.#now() - known.seenAt < CARD_REFRESH_MS) return true
    return (await this.#ask(node, signal)) !== undefined
  }

  async #ask(node: Dialable, signal: AbortSignal): Promise<Sighting | undefined> {
    const peer = node.peerId.toString()
    try {
      const sighting = await askCard(this.#network, node, { now: this.#now, signal })
      remember(this.#sightings, peer, sighting, MAX_CARDS)
      return sighting
    } catch {
      // Provider records outlive their nodes by up to two days: a dead one is ordinary.
      if (!signal.aborted) this.#sightings.delete(peer)
      return undefined
    }
  }
}

/** Resolves with the promise, or after the time. */
async function within(promise: Promise<void>, ms: number): Promise<void> {
  const late = Promise.withResolvers<void>()
  const timer = setTimeout(late.resolve, ms)
  await Promise.race([promise, late.promise])
  clearTimeout(timer)
}

/** Adds at the end; the oldest leaves a full map. */
function remember<V>(map: Map<string, V>, key: string, value: V, most: number): void {
  map.delete(key)
  map.set(key, value)
  const oldest = map.keys().next()
  if (map.size > most && !oldest.done) map.delete(oldest.value)
}

/** Lets everybody look again who waits for a change. */
function wake(lookup: Lookup): void {
  lookup.changed.resolve()
  lookup.changed = Promise.withResolvers()
}
