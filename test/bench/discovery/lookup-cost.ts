/** What one request for provider records costs the asker and the storer, by the number of records of the key. */
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { tcp } from '@libp2p/tcp'
import { askKad, nameCid } from '@potluck/protocol'
import { createLibp2p } from 'libp2p'

import { startFleet } from '../../../scripts/testnet/fleet.ts'
import type { BenchContext } from '../report.ts'
import { publish, toServer } from './records.ts'

const REQUESTS = 200
/** Requests before the measurement, so that the code is compiled. */
const WARM_UP = 50

export async function lookupCost(
  counts: readonly number[],
  { signal, report, note }: Pick<BenchContext, 'signal' | 'report' | 'note'>
): Promise<void> {
  const fleet = await startFleet({ nodes: [], signal })
  const asker = await createLibp2p({
    addresses: { listen: [] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()]
  })
  try {
    const [address = ''] = fleet.relay.addresses
    const server = toServer(address)
    for (const count of counts) {
      note(`Publishing ${count} records.`)
      const key = nameCid(`bench/records-${count}`)
      await publish({ key, address: '/ip4/192.0.2.1/tcp/4001', count, storers: [address], signal })
      const request = { request: 'get_providers', key } as const
      let named = 0
      const ask = async (): Promise<void> => {
        named = (await askKad(asker, server, request, signal)).providers.length
      }
      for (let index = 0; index < WARM_UP; index++) await ask()
      const before = { storer: await fleet.relay.usage(), asker: process.cpuUsage(), at: performance.now() }
      for (let index = 0; index < REQUESTS; index++) await ask()
      const wallMs = performance.now() - before.at
      const { user, system } = process.cpuUsage(before.asker)
      const { cpuMicros } = await fleet.relay.usage()
      const row = { case: `${count} records`, n: REQUESTS }
      report({ ...row, metric: 'providers', value: named, unit: 'records' })
      report({ ...row, metric: 'request_ms', value: wallMs / REQUESTS, unit: 'ms' })
      report({ ...row, metric: 'asker_cpu_ms', value: (user + system) / 1000 / REQUESTS, unit: 'ms' })
      const storerMs = (cpuMicros - before.storer.cpuMicros) / 1000
      report({ ...row, metric: 'storer_cpu_ms', value: storerMs / REQUESTS, unit: 'ms' })
    }
  } finally {
    await asker.stop()
    await fleet.stop()
  }
}
