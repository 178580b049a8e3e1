/**
 * The publishers. All of them run the product's `TopicPublisher`. Some run it with its walk and its schedule
 * (`KeepTopics`), and each message takes its time. The others learn the closest servers of a key at once, because
 * 100,000 walking publishers would take hours. Their messages are the same, except for those on the way to the key.
 */
import { kadId, kadTarget, PROVIDER_SAMPLE, sample, type ClosestPeer } from '@potluck/protocol'
import type { CID } from 'multiformats/cid'
import { xor } from 'uint8arrays/xor'

import { KeepTopics } from '../../../node/advertise/keep-topics.ts'
import { RENEW_RECORDS_MS } from '../../../node/advertise/limits.ts'
import { TopicPublisher, type FindClosest, type TopicNetwork } from '../../../node/advertise/publish-topics.ts'
import { recordKey } from '../../../node/dht/provider-handlers.ts'
import type { ShortPeer, SimulatedPeer } from './population.ts'
import { Caller, type Transport } from './transport.ts'

const NEVER = new AbortController().signal
const RETRY_MS = 60_000
/** Servers of its routing table that a node names to the publisher. */
const SERVERS = 60

export interface Publishing {
  /** All walks and the requests in them, of the publishers that walk. */
  walks: number
  walkRequests: number
  publications: number
  failures: number
  /** The publishers that walk. */
  callers: Caller[]
  /** Publications, walks and other requests of the other publishers in the measured time. */
  quickWalks: number
  /** By peer index, for living peers. */
  publishers: Map<number, TopicPublisher>
}

export function newPublishing(): Publishing {
  return {
    walks: 0,
    walkRequests: 0,
    publications: 0,
    failures: 0,
    callers: [],
    quickWalks: 0,
    publishers: new Map()
  }
}

/** Publishes with walks, on the product's schedule, until the peer dies. */
export function publishWithWalks(transport: Transport, peer: SimulatedPeer, counts: Publishing): void {
  const { population, storers } = transport
  const { clock, random } = population
  const caller = new Caller(peer)
  counts.callers.push(caller)
  const left = new AbortController()
  const walkedKeys = new Set<string>()
  const network: TopicNetwork = {
    servers: async () => sample(population.table(peer), SERVERS, random.next).map(({ kad }) => kad),
    ask: async (server, request, signal) => {
      if (!peer.alive) left.abort(new Error('the node died'))
      const key = recordKey(request.key.multihash.bytes)
      if (request.request === 'find_node') {
        counts.walkRequests++
        if (!walkedKeys.has(key)) counts.walks++
        walkedKeys.add(key)
      }
      return await transport.ask(caller, server, request, signal)
    },
    add: async (server, key, signal) => {
      const record = storers.record(peer, recordKey(key.multihash.bytes))
      await transport.add(caller, server, key, record, signal)
    },
    keep: () => undefined,
    // At least as long as a timer of Node. A shorter pause could be too small to change the time.
    sleep: async (ms, signal) => await clock.sleep(Math.max(1, ms), signal),
    random: random.next
  }
  const publisher = new TopicPublisher(peer.peerId, network)
  counts.publishers.set(peer.index, publisher)
  const keeper = new KeepTopics({
    publisher,
    network,
    topics: () => peer.topics,
    now: clock.now,
    onResult: ({ failure }) => {
      walkedKeys.clear()
      counts.publications++
      if (failure !== undefined) counts.failures++
      if (!peer.alive) left.abort(new Error('the node died'))
    }
  })
  for (const server of sample(population.table(peer), 1, random.next)) keeper.gained(server.kad)
  void keeper.run(left.signal)
}

/** Publishes without walks and without delays, until the peer dies. */
export function publishQuickly(transport: Transport, peer: SimulatedPeer, counts: Publishing): void {
  const { population, storers } = transport
  const { clock, random } = population
  const measured = (): boolean => clock.now() >= transport.measureFrom
  const invented = population.inventedPeers(1).flatMap((one) => Array<SimulatedPeer>(PROVIDER_SAMPLE).fill(one))
  const network: TopicNetwork = {
    servers: async () => [peer.kadShort],
    ask: async (one, { request, key }) => {
      const server = (one as ShortPeer).simulated
      if (!server.alive) throw new Error('the peer is dead')
      if (measured()) server.requests++
      if (request === 'find_node') {
        return { closer: population.closest(kadTarget(key)).map(({ kadShort }) => kadShort), providers: [] }
      }
      const providers = server.kind === 'lying' ? invented : storers.newest(server, recordKey(key.multihash.bytes))
      return { closer: [], providers: providers.map(({ kadShort }) => kadShort) }
    },
    add: async (one, key) => {
      if (!(one as ShortPeer).simulated.alive) throw new Error('the peer is dead')
      if (key !== last.key) last = { key, record: storers.record(peer, recordKey(key.multihash.bytes)) }
      const server = (one as ShortPeer).simulated
      if (measured()) server.requests++
      storers.add(server, last.record)
    },
    keep: () => undefined,
    sleep: clock.sleep,
    random: random.next
  }
  let last: { key: CID | undefined; record: number } = { key: undefined, record: 0 }
  const findClosest: FindClosest = async (key) => {
    const target = kadTarget(key)
    const closest = population.closest(target)
    if (measured()) {
      counts.quickWalks++
      for (const one of closest) one.requests++
    }
    return closest.map(({ kadShort, peerId }): ClosestPeer => ({
      peer: kadShort,
      distance: xor(kadId(peerId), target)
    }))
  }
  const publisher = new TopicPublisher(peer.peerId, network, findClosest)
  counts.publishers.set(peer.index, publisher)
  const publish = async (): Promise<void> => {
    if (!peer.alive) return
    const { failure } = await publisher.publish(peer.topics, NEVER)
    const { shortest, longest } = RENEW_RECORDS_MS
    clock.after(
      failure === undefined ? shortest + random.next() * (longest - shortest) : RETRY_MS,
      () => void publish()
    )
  }
  void publish()
}
