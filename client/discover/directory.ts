/**
 * The nodes that the client knows: their cards, and the DHT lookups that found them. Keeps both fresh.
 *
 * A lookup yields nodes as it finds them, so a request can use the first card. All requests for a key share one lookup.
 * When one request has what it needs, the lookup continues for the others.
 */
import { deadline, PotluckError, type Load } from '@potluck/protocol'
import { LRUCache } from 'lru-cache'
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
} from '../base/constants.ts'
import type { Dialable, Network } from '../network/network.ts'
import { raceAbort } from '../base/race-abort.ts'
import { askCard, dialable, type KnownNode } from './known-node.ts'

interface Lookup {
  startedAt: number
  /** Peer ids, in the order in which their cards arrived. */
  peers: string[]
  /** Set when the lookup ends. */
  outcome: { error?: Error } | undefined
  /** Resolves at the next change of `peers` or `outcome`. */
  changed: PromiseWithResolvers<void>
}

export interface LookupOptions {
  signal: AbortSignal
  /** Walks the DHT again, even after a recent lookup. Default false. */
  fresh?: boolean
}

export interface GatherOptions extends LookupOptions {
  /** Waits for the end of the lookup. Default false. */
  whole?: boolean
}

export class Directory {
  readonly #network: Network
  readonly #now: () => number
  readonly #stopped = new AbortController()
  /** By peer id. */
  readonly #nodes = new LRUCache<string, KnownNode>({ max: MAX_CARDS })
  /** By DHT key. */
  readonly #lookups = new LRUCache<string, Lookup>({ max: MAX_LOOKUPS })

  /** @param now milliseconds since the epoch */
  constructor(network: Network, now: () => number = Date.now) {
    this.#network = network
    this.#now = now
  }

  /**
   * Yields every node found under the key, as its card arrives.
   *
   * @throws PotluckError `no_providers` if the network could not be joined, `aborted` by the signal
   */
  async *find(cid: CID, { signal, fresh = false }: LookupOptions): AsyncGenerator<KnownNode> {
    const lookup = this.#lookup(cid, fresh)
    for (let index = 0; ; index++) {
      while (index >= lookup.peers.length && lookup.outcome === undefined) {
        await raceAbort(lookup.changed.promise, signal)
      }
      const peer = lookup.peers[index]
      if (peer === undefined) break
      const node = this.#usable(peer)
      if (node !== undefined) yield node
    }
    if (lookup.outcome?.error !== undefined && lookup.peers.length === 0) throw lookup.outcome.error
  }

  /**
   * Returns suitable nodes to choose from. If some are known from earlier lookups, returns these at once. Otherwise
   * waits for the first suitable node, and `GATHER_MS` longer for more. Empty if the whole lookup found none.
   *
   * @throws PotluckError `no_providers` if the network could not be joined, `aborted` by the signal
   */
  async gather(
    cid: CID,
    suitable: (node: KnownNode) => boolean,
    { signal, fresh = false, whole = false }: GatherOptions
  ): Promise<KnownNode[]> {
    const lookup = this.#lookup(cid, fresh)
    const choose = (): KnownNode[] => this.known().filter(suitable)
    let found = choose()
    if (found.length > 0 && !whole) return found
    let grace: ReturnType<typeof setTimeout> | undefined
    let enough = false
    try {
      while (lookup.outcome === undefined && !enough) {
        await raceAbort(lookup.changed.promise, signal)
        found = choose()
        if (found.length === 0 || whole) continue
        grace ??= setTimeout(() => {
          enough = true
          wake(lookup)
        }, GATHER_MS)
      }
    } finally {
      clearTimeout(grace)
    }
    if (lookup.outcome?.error !== undefined && found.length === 0) throw lookup.outcome.error
    return found
  }

  /** Stores the load that a node reported with an answer. */
  reportLoad(peer: string, load: Load): void {
    const node = this.#nodes.get(peer)
    if (node !== undefined) this.#nodes.set(peer, { ...node, load, loadAt: this.#now() })
  }

  /** Returns the nodes whose cards are recent enough to use now. */
  known(): KnownNode[] {
    return [...this.#nodes.rkeys()].flatMap((peer) => this.#usable(peer) ?? [])
  }

  /** Asks known nodes for their card and load again. Returns the nodes that reply. */
  async refresh(peers: readonly string[], signal: AbortSignal): Promise<KnownNode[]> {
    const replies = peers.map(async (peer) => {
      const node = this.#usable(peer)
      return node === undefined ? undefined : await this.#ask(dialable(node.card), signal)
    })
    return (await Promise.all(replies)).filter((node) => node !== undefined)
  }

  /** Drops the card of a node that differs from it or is gone. The next lookup asks the node again. */
  evict(peer: string): void {
    this.#nodes.delete(peer)
  }

  stop(): void {
    this.#stopped.abort(new Error('the client was stopped'))
  }

  #usable(peer: string): KnownNode | undefined {
    const node = this.#nodes.peek(peer)
    if (node === undefined) return undefined
    const until = Math.min(node.card.expiresAt, node.seenAt + CARD_USABLE_MS)
    return this.#now() < until ? node : undefined
  }

  /** Returns the running lookup, or the last one if it is recent. Otherwise starts one that begins with the known nodes. */
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
    this.#lookups.set(key, lookup)
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
        const ask = this.#confirm(node, signal).then((known) => {
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
      // A lookup that reaches its timeout is not a failure, because it keeps the nodes that it found.
      if (error instanceof Error && (error instanceof PotluckError || !signal.aborted)) outcome.error = error
    }
    await Promise.all(asked)
    lookup.outcome = outcome
    wake(lookup)
  }

  /** Asks for the card, unless the client has a recent one. Returns false if the node sends none. */
  async #confirm(node: Dialable, signal: AbortSignal): Promise<boolean> {
    const peer = node.peerId.toString()
    const known = this.#usable(peer)
    if (known !== undefined && this.#now() - known.seenAt < CARD_REFRESH_MS) return true
    return (await this.#ask(node, signal)) !== undefined
  }

  async #ask(node: Dialable, signal: AbortSignal): Promise<KnownNode | undefined> {
    const peer = node.peerId.toString()
    try {
      const known = await askCard(this.#network, node, { now: this.#now, signal })
      this.#nodes.set(peer, known)
      return known
    } catch {
      // The DHT keeps a provider record for up to two days, so many recorded nodes are gone. That is not an error.
      if (!signal.aborted) this.#nodes.delete(peer)
      return undefined
    }
  }
}

/** Resolves with the promise, or after this time. */
async function within(promise: Promise<void>, ms: number): Promise<void> {
  const late = Promise.withResolvers<void>()
  const timer = setTimeout(late.resolve, ms)
  await Promise.race([promise, late.promise])
  clearTimeout(timer)
}

/** Wakes every request that waits for a change of the lookup. */
function wake(lookup: Lookup): void {
  lookup.changed.resolve()
  lookup.changed = Promise.withResolvers()
}
