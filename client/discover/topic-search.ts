/**
 * Finds the providers of a topic with walks in the DHT. A topic with more nodes is split into more shards. No peer knows
 * how many: a search begins at the depth that the last search found, and tries other depths if that depth is empty.
 */
import {
  depthsToTry,
  estimateServers,
  kadTarget,
  nextDepth,
  randomShards,
  RECORD_STORERS,
  shardCid,
  SPLIT_AT,
  topicText,
  walk,
  type ClosestPeer,
  type KadPeer,
  type KadReply,
  type Topic
} from '@potluck/protocol'
import { LRUCache } from 'lru-cache'
import type { CID } from 'multiformats/cid'

import type { Clock } from '../base/clock.ts'
import { MAX_LOOKUPS, PARALLEL_WALKS } from '../base/constants.ts'

export interface SearchOptions {
  /** Servers of the DHT to begin with. */
  start: readonly KadPeer[]
  askKad: (server: KadPeer, key: CID, signal: AbortSignal) => Promise<KadReply>
  clock: Pick<Clock, 'sleep'>
  random: () => number
  /** Shards to walk at most. */
  shards: number
  /** The providers of a storer. */
  onProviders: (providers: readonly KadPeer[]) => void
  /** Whether more providers are of no use. */
  enough: () => boolean
  signal: AbortSignal
}

interface Shard {
  /**
   * The nodes of the shard: the median over its storers of the providers that each named. So a few servers that
   * invent providers cannot make an empty depth look used.
   */
  population: number
  /** The servers closest to the shard's key. Empty: no server replied. */
  closest: readonly ClosestPeer[]
}

/** A search that ends early believes that a depth is used if this many servers named providers. */
const LEAST_STORERS = 2

/** Searches topics, and remembers the depth of each. */
export class TopicSearch {
  /** By the text of the topic. */
  readonly #depths = new LRUCache<string, number>({ max: MAX_LOOKUPS })

  /** Resolves at the end of the search. Returns false if no server replied, so that another search can help. */
  async search(topic: Topic, options: SearchOptions): Promise<boolean> {
    const remembered = this.#depths.get(topicText(topic)) ?? 0
    const first = await this.#depth(topic, remembered, options)
    if (first.closest.length === 0) return false
    if (first.population > 0) {
      await this.#found(topic, remembered, first, options)
      return true
    }
    if (options.enough()) return true
    const servers = estimateServers(first.closest.map(({ distance }) => distance))
    const depths = [...new Set([0, ...depthsToTry(servers)])].filter((depth) => depth !== remembered)
    const shards = await Promise.all(
      depths.map(async (depth) => ({ depth, shard: await this.#depth(topic, depth, options) }))
    )
    const [best] = shards
      .filter(({ shard }) => shard.population > 0)
      .sort((a, b) => b.shard.population - a.shard.population)
    if (best === undefined) this.#depths.delete(topicText(topic))
    else await this.#found(topic, best.depth, best.shard, options)
    return true
  }

  /** Walks more shards of the depth if one does not suffice, and remembers where the next search begins. */
  async #found(topic: Topic, depth: number, { population }: Shard, options: SearchOptions): Promise<void> {
    const { random, shards, enough } = options
    const next = nextDepth(depth, population)
    this.#depths.set(topicText(topic), next)
    // A list of all nodes needs the shards below too, because a storer names only some nodes of a full shard.
    const listed = shards > 2 ** depth && population >= SPLIT_AT ? next : depth
    const waiting = listed === 0 ? [] : randomShards(listed, shards, random)
    const walks = Array.from({ length: PARALLEL_WALKS }, async () => {
      for (let prefix = waiting.pop(); prefix !== undefined && !enough(); prefix = waiting.pop()) {
        await this.#walk(shardCid(topic, prefix), options)
      }
    })
    await Promise.all(walks)
  }

  async #depth(topic: Topic, depth: number, options: SearchOptions): Promise<Shard> {
    const [prefix = ''] = randomShards(depth, 1, options.random)
    return await this.#walk(shardCid(topic, prefix), options)
  }

  async #walk(key: CID, { start, askKad, clock, onProviders, enough, signal }: SearchOptions): Promise<Shard> {
    const counts = new Map<string, number>()
    const steps = walk(kadTarget(key), {
      start,
      ask: async (server, until) => await askKad(server, key, until),
      sleep: async (ms, until) => await clock.sleep(ms, until),
      signal
    })
    for (;;) {
      const step = await steps.next()
      if (step.done === true) {
        const closest = step.value
        const storers = closest.slice(0, RECORD_STORERS)
        return { population: median(storers.map(({ peer }) => counts.get(peer.peerId.toString()) ?? 0)), closest }
      }
      const { from, reply } = step.value
      counts.set(from.peerId.toString(), reply.providers.length)
      onProviders(reply.providers)
      if (!enough()) continue
      await steps.return([])
      // The servers far from the key have no records, so only those that named providers count.
      const naming = [...counts.values()].filter((count) => count > 0)
      const population = naming.length < LEAST_STORERS ? 0 : median(naming)
      return { population, closest: [{ peer: from, distance: new Uint8Array() }] }
    }
  }
}

/** 0 for no values. */
function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
}
