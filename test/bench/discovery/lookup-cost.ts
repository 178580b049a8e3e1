/**
 * What one request for provider records costs, by the number of records that the storer has. The storer is the host of
 * a relay in this process, so the processor time is that of asker and storer together. The records are written to its
 * store directly, because 20,000 publishers would take an hour. As many as fit are under the key of the request.
 */
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { peerIdFromMultihash } from '@libp2p/peer-id'
import { tcp } from '@libp2p/tcp'
import { multiaddr } from '@multiformats/multiaddr'
import { askKad, nameCid, STREAM_WINDOW_BYTES } from '@potluck/protocol'
import { createLibp2p } from 'libp2p'
import type { CID } from 'multiformats/cid'
import { create as createMultihash } from 'multiformats/hashes/digest'

import { PROVIDER_LIMITS } from '../../../node/dht/limits.ts'
import { recordKey } from '../../../node/dht/provider-handlers.ts'
import { RELAY_CONNECTIONS, RELAY_STREAMS } from '../../../node/limits/limits.ts'
import { openIdentity } from '../../../node/data/identity.ts'
import { createRelayHost, type Host } from '../../../node/network/libp2p.ts'
import { median, type BenchContext } from '../report.ts'

/** Requests of each round. All counts take turns in every round, so that a busy moment of the machine hits all. */
const REQUESTS = 40
const ROUNDS = 15

export async function lookupCost(
  counts: readonly number[],
  { signal, report, note }: Pick<BenchContext, 'signal' | 'report' | 'note'>
): Promise<void> {
  const asker = await createLibp2p({
    addresses: { listen: [] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux({ streamOptions: { maxStreamWindowSize: STREAM_WINDOW_BYTES } })]
  })
  const key = nameCid('bench')
  const systems = await Promise.all(counts.map(async (count) => ({ count, storer: await storerWith(count, key) })))
  const samples = systems.map(() => ({ wall: [] as number[], cpu: [] as number[], named: 0, stored: 0 }))
  try {
    for (let round = 0; round <= ROUNDS; round++) {
      signal.throwIfAborted()
      note(round === 0 ? 'Warming up.' : `Round ${round} of ${ROUNDS}.`)
      for (const [index, { storer }] of systems.entries()) {
        const server = { peerId: storer.peerId, addresses: storer.getMultiaddrs() }
        const sample = samples[index]!
        sample.stored = storer.services.providers.size.records
        const before = { cpu: process.cpuUsage(), at: performance.now() }
        for (let request = 0; request < REQUESTS; request++) {
          sample.named = (await askKad(asker, server, { request: 'get_providers', key }, signal)).providers.length
        }
        const { user, system } = process.cpuUsage(before.cpu)
        if (round === 0) continue
        sample.wall.push((performance.now() - before.at) / REQUESTS)
        sample.cpu.push((user + system) / 1000 / REQUESTS)
      }
    }
    for (const [index, { wall, cpu, named, stored }] of samples.entries()) {
      const row = { case: `${counts[index]} records`, n: ROUNDS * REQUESTS }
      report({ ...row, metric: 'stored', value: stored, unit: 'records' })
      report({ ...row, metric: 'providers', value: named, unit: 'records' })
      report({ ...row, metric: 'request_ms', value: median(wall), unit: 'ms' })
      report({ ...row, metric: 'cpu_ms', value: median(cpu), unit: 'ms' })
    }
  } finally {
    await asker.stop()
    await Promise.all(systems.map(async ({ storer }) => await storer.stop()))
  }
}

/** Starts a relay's host with this many records: up to the limit under the key, the rest under other keys. */
async function storerWith(count: number, key: CID): Promise<Host> {
  const host = await createRelayHost({
    identity: await openIdentity({}),
    listen: ['/ip4/127.0.0.1/tcp/0'],
    announce: [],
    scope: 'local',
    mdns: false,
    connections: RELAY_CONNECTIONS,
    streams: RELAY_STREAMS,
    agent: 'bench'
  })
  const addresses = ['/ip4/192.0.2.1/tcp/4001', '/ip6/2001:db8::1/tcp/4001'].map((address) => multiaddr(address).bytes)
  for (let index = 0; index < count; index++) {
    const group = Math.floor(index / PROVIDER_LIMITS.perKey)
    const under = group === 0 ? key : nameCid(`bench ${group}`)
    const peerId = peerIdFromMultihash(createMultihash(0x12, crypto.getRandomValues(new Uint8Array(32))))
    host.services.providers.add(recordKey(under.multihash.bytes), peerId, addresses, undefined)
  }
  return host
}
