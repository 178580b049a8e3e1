/**
 * Publishes a node's provider records: it finds the depth at which others publish a topic, and stores the record at the
 * servers closest to the shard's key. See `protocol/kad/depth.ts` for the rule.
 *
 * Time, randomness and messages are parameters, so the simulator runs the same code.
 */
import type { PeerId } from '@libp2p/interface'
import {
  depthsToTry,
  estimateServers,
  KAD_K,
  kadId,
  MERGE_AT,
  nextDepth,
  publishedDepths,
  sample,
  shardCid,
  shardOf,
  SPLIT_AT,
  topicText,
  walk,
  type ClosestPeer,
  type KadPeer,
  type KadReply,
  type KadRequest,
  type Topic
} from '@potluck/protocol'
import { sha256 } from '@noble/hashes/sha2.js'
import type { CID } from 'multiformats/cid'
import { xor } from 'uint8arrays/xor'
import { xorCompare } from 'uint8arrays/xor-compare'

import { COUNTED_STORERS, DEPTH_STEPS, PARALLEL_TOPICS, SEARCH_DEPTH_SHARE } from './limits.ts'

/** What the publisher needs of the node's network. */
export interface TopicNetwork {
  /** Returns the DHT servers that the node knows. */
  servers: () => Promise<readonly KadPeer[]>
  ask: (server: KadPeer, request: { request: KadRequest; key: CID }, signal: AbortSignal) => Promise<KadReply>
  /** Stores this node's record at a server. Resolves when the server took the message. */
  add: (server: KadPeer, key: CID, signal: AbortSignal) => Promise<void>
  /** Stores this node's record at the node itself. It can be the only server. */
  keep: (key: CID) => void
  /** Milliseconds. Rejects when the signal fires. */
  sleep: (ms: number, signal: AbortSignal) => Promise<void>
  /** Uniform in [0, 1). */
  random: () => number
}

export interface TopicResult {
  /** Servers that took the record: the lowest number over all topics. */
  storers: number
  /** Why no server took a record, in one line. */
  failure?: string
}

/** A shard under which the node publishes. */
interface Shard {
  depth: number
  cid: CID
  target: Uint8Array
  /** The servers closest to the key, nearest first. */
  closest: readonly ClosestPeer[]
}

interface CountedShard extends Shard {
  /** Nodes in the shard, this node included. Undefined: no server replied. */
  population: number | undefined
}

interface PublishedTopic {
  depth: number
  shards: readonly Shard[]
}

/**
 * Finds the servers closest to a key, nearest first.
 *
 * @param start servers to begin with
 * @throws the signal's reason
 */
export type FindClosest = (
  key: CID,
  start: readonly KadPeer[],
  network: TopicNetwork,
  signal: AbortSignal
) => Promise<readonly ClosestPeer[]>

export class TopicPublisher {
  readonly #self: PeerId
  readonly #network: TopicNetwork
  readonly #findClosest: FindClosest
  readonly #published = new Map<string, PublishedTopic>()

  /** @param findClosest default: a walk. The simulator also passes a faster way, for 100,000 publishers. */
  constructor(self: PeerId, network: TopicNetwork, findClosest: FindClosest = walkToKey) {
    this.#self = self
    this.#network = network
    this.#findClosest = findClosest
  }

  /** The depth of a topic at its last publication. Undefined: the node does not publish it. */
  depthOf(topic: Topic): number | undefined {
    return this.#published.get(topicText(topic))?.depth
  }

  /**
   * Publishes the topics, and forgets all others.
   *
   * @throws the signal's reason
   */
  async publish(topics: readonly Topic[], signal: AbortSignal): Promise<TopicResult> {
    const texts = new Set(topics.map(topicText))
    for (const text of this.#published.keys()) if (!texts.has(text)) this.#published.delete(text)
    if (topics.length === 0) return { storers: 0 }
    const servers = await this.#network.servers()
    if (servers.length === 0) return { storers: 0, failure: 'no DHT server is connected' }
    let storers = Infinity
    for (let index = 0; index < topics.length; index += PARALLEL_TOPICS) {
      const some = topics.slice(index, index + PARALLEL_TOPICS)
      const counts = await Promise.all(some.map(async (topic) => await this.#publishOne(topic, servers, signal)))
      storers = Math.min(storers, ...counts)
    }
    return storers > 0 ? { storers } : { storers, failure: 'no DHT server took the provider records' }
  }

  /**
   * Stores the records at a server that the node just met, if it belongs to the servers closest to their keys. It can be
   * new, or it can have restarted without its records.
   *
   * @returns the number of records
   */
  async publishAt(server: KadPeer, signal: AbortSignal): Promise<number> {
    const shards = [...this.#published.values()].flatMap((topic) => topic.shards)
    const stored = await Promise.all(
      shards.map(async (shard) => {
        const distance = xor(kadId(server.peerId), shard.target)
        const farthest = shard.closest[KAD_K - 1]
        if (farthest !== undefined && xorCompare(distance, farthest.distance) > 0) return false
        if (!(await this.#add(server, shard.cid, signal))) return false
        const others = shard.closest.filter(({ peer }) => !peer.peerId.equals(server.peerId))
        shard.closest = [...others, { peer: server, distance }]
          .toSorted((a, b) => xorCompare(a.distance, b.distance))
          .slice(0, KAD_K)
        return true
      })
    )
    return stored.filter(Boolean).length
  }

  /** Stores the records again where they are, because the node's addresses changed. */
  async refresh(signal: AbortSignal): Promise<void> {
    const shards = [...this.#published.values()].flatMap((topic) => topic.shards)
    for (const shard of shards) await this.#store(shard, signal)
  }

  /** Returns how many servers took the record at the topic's depth. */
  async #publishOne(topic: Topic, servers: readonly KadPeer[], signal: AbortSignal): Promise<number> {
    const text = topicText(topic)
    const known = this.#published.get(text)
    const counted = new Map<number, Promise<CountedShard>>()
    const count = async (depth: number): Promise<CountedShard> => {
      const known = this.#published.get(text)?.shards.find((shard) => shard.depth === depth)?.closest ?? []
      const start = [...known.map(({ peer }) => peer), ...servers]
      const one = counted.get(depth) ?? this.#count(topic, depth, start, signal)
      counted.set(depth, one)
      return await one
    }

    const first = await count(known?.depth ?? 0)
    const isRare = first.population !== undefined && first.population <= MERGE_AT
    const search = known === undefined || (isRare && this.#network.random() < SEARCH_DEPTH_SHARE)
    const own = await settle(search ? await this.#search(first, count) : first, count)
    const depths = own.population === undefined ? [own.depth] : publishedDepths(own.depth, own.population)
    const shards = await Promise.all(depths.map(count))
    this.#published.set(text, { depth: own.depth, shards })
    const storers = await Promise.all(shards.map(async (shard) => await this.#store(shard, signal)))
    return storers[0]!
  }

  /**
   * Looks for the depth at which others publish the topic. A node that starts when the topic is already split finds few
   * nodes at depth 0.
   *
   * An attacker can fill a shard at a low depth. So a full shard only counts if no shard of a usual size is found.
   */
  async #search(first: CountedShard, count: (depth: number) => Promise<CountedShard>): Promise<CountedShard> {
    const depths = depthsToTry(estimateServers(first.closest.map(({ distance }) => distance)))
    const found = await Promise.all(depths.filter((depth) => depth !== first.depth).map(count))
    const shards = [first, ...found].toSorted((a, b) => b.depth - a.depth)
    const usual = shards.filter(({ population = 0 }) => population > MERGE_AT && population < SPLIT_AT)
    const full = shards.find(({ population = 0 }) => population >= SPLIT_AT)
    // Without either, the topic is rare. A node that publishes it elsewhere probably started before this node.
    const rare = shards.filter(({ population = 0 }) => population > 1)
    return largest(usual) ?? full ?? largest(rare) ?? first
  }

  async #count(topic: Topic, depth: number, start: readonly KadPeer[], signal: AbortSignal): Promise<CountedShard> {
    const cid = shardCid(topic, shardOf(this.#self, depth))
    const target = sha256(cid.multihash.bytes)
    const closest = await this.#findClosest(cid, start, this.#network, signal)
    // The median, because one dishonest server must not decide the depth.
    const counts = await Promise.all(
      sample(closest, COUNTED_STORERS, this.#network.random).map(async ({ peer }) => {
        const request = { request: 'get_providers', key: cid } as const
        const reply = await this.#network.ask(peer, request, signal).catch(() => undefined)
        return reply?.providers.filter(({ peerId }) => !peerId.equals(this.#self)).length
      })
    )
    signal.throwIfAborted()
    const known = counts.filter((one) => one !== undefined).toSorted((a, b) => a - b)
    const median = known[(known.length - 1) >> 1]
    return { depth, cid, target, closest, population: median === undefined ? undefined : median + 1 }
  }

  /** Returns how many servers took the record. */
  async #store({ cid, closest }: Shard, signal: AbortSignal): Promise<number> {
    this.#network.keep(cid)
    const taken = await Promise.all(closest.map(async ({ peer }) => await this.#add(peer, cid, signal)))
    return taken.filter(Boolean).length
  }

  async #add(server: KadPeer, key: CID, signal: AbortSignal): Promise<boolean> {
    return await this.#network.add(server, key, signal).then(
      () => true,
      () => false
    )
  }
}

/**
 * Returns the shard at the depth where the node should publish. Moves only in one direction, deeper or less deep, so that
 * it ends.
 */
async function settle(first: CountedShard, count: (depth: number) => Promise<CountedShard>): Promise<CountedShard> {
  let here = first
  for (let steps = 0; steps < DEPTH_STEPS && here.population !== undefined; steps++) {
    const next = nextDepth(here.depth, here.population)
    const turns = here !== first && next - here.depth !== Math.sign(here.depth - first.depth)
    if (next === here.depth || turns) break
    const there = await count(next)
    // The parent can be full because its other half is not split yet.
    if (next < here.depth && (there.population ?? 0) >= SPLIT_AT) break
    here = there
  }
  return here
}

function largest(shards: readonly CountedShard[]): CountedShard | undefined {
  return shards.toSorted((a, b) => (b.population ?? 0) - (a.population ?? 0))[0]
}

const walkToKey: FindClosest = async (key, start, { ask, sleep }, signal) => {
  const findNode = async (peer: KadPeer, until: AbortSignal): Promise<KadReply> =>
    await ask(peer, { request: 'find_node', key }, until)
  const steps = walk(sha256(key.multihash.bytes), { start, ask: findNode, sleep, signal })
  for (;;) {
    const step = await steps.next()
    if (step.done === true) return step.value
  }
}
