/**
 * Publishes a node's provider records: it finds the depth at which others publish a topic, and stores the record at the
 * servers closest to the shard's key. See `protocol/kad/depth.ts` for the rule. A renewal sends the record to the servers
 * that have it already, because a walk opens some 30 connections.
 *
 * Time, randomness and messages are parameters, so the simulator runs the same code.
 */
import type { PeerId } from '@libp2p/interface'
import {
  countServers,
  depthsToTry,
  estimateServers,
  kadId,
  kadTarget,
  MERGE_AT,
  nextDepth,
  probableDepth,
  publishedDepths,
  RECORD_STORERS,
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
import type { CID } from 'multiformats/cid'
import { xor } from 'uint8arrays/xor'
import { xorCompare } from 'uint8arrays/xor-compare'

import {
  ASKED_FOR_SERVERS,
  ASKED_TO_COUNT,
  DEPTH_STEPS,
  PARALLEL_TOPICS,
  RENEWALS_WITHOUT_WALK,
  RENEWED_SHARE,
  SEARCH_DEPTH_SHARE
} from './limits.ts'

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
  /** The servers closest to the key that store the record, nearest first. */
  closest: readonly ClosestPeer[]
}

interface CountedShard extends Shard {
  /** Nodes in the shard, this node included. Undefined: no server replied. */
  population: number | undefined
  /** Estimated from the distances. */
  servers: number
}

interface PublishedTopic {
  depth: number
  /** The shard at `depth` comes first. */
  shards: readonly Shard[]
  /** Since the last walk. */
  renewals: number
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
    // Every node publishes the topic `nodes`, so its depth bounds the search for the depths of the others.
    const isNodes = ({ kind }: Topic): boolean => kind === 'nodes'
    const isFirst = this.#published.size === 0
    const ordered = isFirst ? [topics.filter(isNodes), topics.filter((topic) => !isNodes(topic))] : [topics]
    for (const some of ordered.flatMap((group) => inParts(group, PARALLEL_TOPICS))) {
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
        const farthest = shard.closest[RECORD_STORERS - 1]
        if (farthest !== undefined && xorCompare(distance, farthest.distance) > 0) return false
        if (!(await this.#add(server, shard.cid, signal))) return false
        const others = shard.closest.filter(({ peer }) => !peer.peerId.equals(server.peerId))
        shard.closest = [...others, { peer: server, distance }]
          .toSorted((a, b) => xorCompare(a.distance, b.distance))
          .slice(0, RECORD_STORERS)
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
    const known = this.#published.get(topicText(topic))
    if (known !== undefined && known.renewals < RENEWALS_WITHOUT_WALK && (await this.#renew(known, signal))) {
      known.renewals++
      return known.shards[0]!.closest.length
    }
    signal.throwIfAborted()
    return await this.#publishWithWalks(topic, servers, signal)
  }

  /** Renews the records where they are. Returns false if a walk is needed: to another depth, or to other servers. */
  async #renew({ depth, shards }: PublishedTopic, signal: AbortSignal): Promise<boolean> {
    const [own] = shards
    const population = await this.#population(own!.cid, own!.closest, signal)
    if (population === undefined || nextDepth(depth, population) !== depth) return false
    const renewed = await Promise.all(shards.map(async (shard) => await this.#renewShard(shard, signal)))
    return renewed.every(Boolean)
  }

  /** Stores the record at the remembered servers, and at others in place of dead ones. Returns whether enough have it. */
  async #renewShard(shard: Shard, signal: AbortSignal): Promise<boolean> {
    const before = shard.closest
    const taken = await this.#storeAt(before, shard.cid, signal)
    // The others that store the record keep their place, so that one dishonest server cannot replace them.
    const candidates = await this.#replacements(shard, taken, signal)
    while (taken.length < RECORD_STORERS && candidates.length > 0) {
      taken.push(...(await this.#storeAt(candidates.splice(0, RECORD_STORERS - taken.length), shard.cid, signal)))
    }
    signal.throwIfAborted()
    shard.closest = taken.toSorted((a, b) => xorCompare(a.distance, b.distance))
    this.#network.keep(shard.cid)
    return taken.length > 0 && taken.length >= before.length * RENEWED_SHARE
  }

  /** Returns servers near the key that do not store the record, nearest first: at most two for each missing one. */
  async #replacements(shard: Shard, taken: readonly ClosestPeer[], signal: AbortSignal): Promise<ClosestPeer[]> {
    const missing = RECORD_STORERS - taken.length
    if (missing === 0) return []
    const request = { request: 'find_node', key: shard.cid } as const
    const replies = await Promise.all(
      sample(taken, ASKED_FOR_SERVERS, this.#network.random).map(
        async ({ peer }) => await this.#network.ask(peer, request, signal).catch(() => undefined)
      )
    )
    const known = new Set([this.#self, ...shard.closest.map(({ peer }) => peer.peerId)].map(String))
    const others = new Map(
      replies.flatMap((reply) => reply?.closer ?? []).map((peer) => [peer.peerId.toString(), peer])
    )
    return [...others]
      .filter(([id]) => !known.has(id))
      .map(([, peer]) => ({ peer, distance: xor(kadId(peer.peerId), shard.target) }))
      .toSorted((a, b) => xorCompare(a.distance, b.distance))
      .slice(0, 2 * missing)
  }

  async #publishWithWalks(topic: Topic, servers: readonly KadPeer[], signal: AbortSignal): Promise<number> {
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

    const first = await count(known?.depth ?? (await this.#probableDepth(topic, servers, signal)))
    const isRare = first.population !== undefined && first.population <= MERGE_AT
    const search = known === undefined || (isRare && this.#network.random() < SEARCH_DEPTH_SHARE)
    const own = await settle(search ? await this.#search(topic, first, count) : first, count)
    const depths = own.population === undefined ? [own.depth] : publishedDepths(own.depth, own.population)
    const shards = await Promise.all(depths.map(count))
    this.#published.set(text, { depth: own.depth, shards, renewals: 0 })
    const storers = await Promise.all(shards.map(async (shard) => await this.#store(shard, signal)))
    return storers[0]!
  }

  /**
   * Looks for the depth at which others publish the topic. A node that starts when the topic is already split finds few
   * nodes at depth 0.
   *
   * It ends with the first shard of a usual size. An attacker can fill a shard at a low depth. So a full shard only counts
   * if no shard of a usual size is found.
   */
  async #search(
    topic: Topic,
    first: CountedShard,
    count: (depth: number) => Promise<CountedShard>
  ): Promise<CountedShard> {
    const found = [first]
    for (const depth of [first.depth, ...this.#depthsToSearch(topic, first.servers)]) {
      const shard = await count(depth)
      const { population = 0 } = shard
      if (population > MERGE_AT && population < SPLIT_AT) return shard
      found.push(shard)
    }
    const shards = found.toSorted((a, b) => b.depth - a.depth)
    const full = shards.find(({ population = 0 }) => population >= SPLIT_AT)
    // Without a full shard, the topic is rare. A node that publishes it elsewhere probably started before this node.
    const rare = shards.filter(({ population = 0 }) => population > 1)
    return full ?? largest(rare) ?? first
  }

  /**
   * The depth at which a search begins. Every node publishes the topic `nodes`. If all of them began at depth 0, its few
   * storers would carry the load of all. For other topics, the node cannot know how many nodes publish them.
   */
  async #probableDepth({ kind }: Topic, servers: readonly KadPeer[], signal: AbortSignal): Promise<number> {
    if (kind !== 'nodes') return 0
    const { ask, random } = this.#network
    const count = await countServers(
      servers,
      async (server, key) => await ask(server, { request: 'find_node', key }, signal),
      random
    )
    return probableDepth(count)
  }

  /** The most probable depth first. */
  #depthsToSearch(topic: Topic, servers: number): number[] {
    const depths = depthsToTry(servers)
    if (topic.kind === 'nodes') {
      const probable = probableDepth(servers)
      return [0, ...depths].toSorted((a, b) => Math.abs(a - probable) - Math.abs(b - probable))
    }
    const deepest = this.depthOf({ kind: 'nodes' })
    return deepest === undefined ? depths : depths.filter((depth) => depth <= deepest + 1)
  }

  async #count(topic: Topic, depth: number, start: readonly KadPeer[], signal: AbortSignal): Promise<CountedShard> {
    const cid = shardCid(topic, shardOf(this.#self, depth))
    const target = kadTarget(cid)
    const found = await this.#findClosest(cid, start, this.#network, signal)
    const closest = found.slice(0, RECORD_STORERS)
    const servers = estimateServers(found.map(({ distance }) => distance))
    return { depth, cid, target, closest, servers, population: await this.#population(cid, closest, signal) }
  }

  /**
   * Returns how many nodes a shard has, this node included. Asks two storers, and a third one if their replies would lead
   * to different depths. It uses the median, because one dishonest server must not decide the depth.
   */
  async #population(cid: CID, storers: readonly ClosestPeer[], signal: AbortSignal): Promise<number | undefined> {
    const waiting = sample(storers, storers.length, this.#network.random).slice(0, ASKED_TO_COUNT)
    const ask = async ({ peer }: ClosestPeer): Promise<number[]> => {
      const request = { request: 'get_providers', key: cid } as const
      const reply = await this.#network.ask(peer, request, signal).catch(() => undefined)
      return reply === undefined ? [] : [reply.providers.filter(({ peerId }) => !peerId.equals(this.#self)).length + 1]
    }
    const counts = (await Promise.all(waiting.splice(0, 2).map(ask))).flat()
    const agree = (): boolean => counts.length >= 2 && new Set(counts.map((one) => nextDepth(1, one))).size === 1
    while (waiting.length > 0 && counts.length < 3 && !agree()) counts.push(...(await ask(waiting.shift()!)))
    signal.throwIfAborted()
    return counts.toSorted((a, b) => a - b)[(counts.length - 1) >> 1]
  }

  /** Returns how many servers took the record. */
  async #store({ cid, closest }: Shard, signal: AbortSignal): Promise<number> {
    this.#network.keep(cid)
    return (await this.#storeAt(closest, cid, signal)).length
  }

  /** Returns the servers that took the record. */
  async #storeAt(servers: readonly ClosestPeer[], cid: CID, signal: AbortSignal): Promise<ClosestPeer[]> {
    const taken = await Promise.all(
      servers.map(async (server) => ((await this.#add(server.peer, cid, signal)) ? [server] : []))
    )
    return taken.flat()
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

function inParts<T>(all: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(all.length / size) }, (_, index) => all.slice(index * size, (index + 1) * size))
}

function largest(shards: readonly CountedShard[]): CountedShard | undefined {
  return shards.toSorted((a, b) => (b.population ?? 0) - (a.population ?? 0))[0]
}

const walkToKey: FindClosest = async (key, start, { ask, sleep }, signal) => {
  const findNode = async (peer: KadPeer, until: AbortSignal): Promise<KadReply> =>
    await ask(peer, { request: 'find_node', key }, until)
  const steps = walk(kadTarget(key), { start, ask: findNode, sleep, signal, wanted: RECORD_STORERS })
  for (;;) {
    const step = await steps.next()
    if (step.done === true) return step.value
  }
}
