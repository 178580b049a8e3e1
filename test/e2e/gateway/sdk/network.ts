/** A node with crumb and a gateway before it: what the SDKs' tests run against. */
import { createClient } from '@potluck/client'
import { startGateway } from '@potluck/client/gateway'
import { afterAll, beforeAll, vi } from 'vitest'

import { startLlamaEngine, startNode, type NodeMetrics, type PotluckNode } from '../../../../node/index.ts'
import { crumb } from '../../../../node/models/crumb.ts'
import { LOOPBACK, silent } from '../../node/harness.ts'

export const MODEL: string = crumb.Q8_0.name
export const PROMPT = 'Tell me a story about a fox.'

export interface CrumbNetwork {
  /** For the SDKs: with `/v1`. */
  baseURL: string
  node: PotluckNode
}

/** Started before the tests of a file and stopped after them; to be read inside them. */
export function crumbNetwork(): CrumbNetwork {
  const network = {} as CrumbNetwork
  const stops: (() => Promise<void>)[] = []
  beforeAll(async () => {
    const { path, name } = crumb.Q8_0
    const options = { modelPath: path, name, slots: 2, threads: 1, gpu: false, logger: silent } as const
    const engine = await startLlamaEngine(options)
    stops.push(async () => await engine.close())
    const node = await startNode({ engine, listen: [LOOPBACK], scope: 'local', logger: silent })
    stops.push(async () => await node.stop())
    const client = await createClient({ bootstrap: node.addresses(), mdns: false })
    stops.push(async () => await client.stop())
    const gateway = await startGateway({ client, port: 0 })
    stops.push(async () => await gateway.stop())
    Object.assign(network, { node, baseURL: `${gateway.url}/v1` })
  })
  afterAll(async () => {
    for (const stop of stops.toReversed()) await stop()
  })
  return network
}

/** Waits until the node's metrics are so. */
export async function nodeShows({ node }: CrumbNetwork, shows: (metrics: NodeMetrics) => boolean): Promise<void> {
  await vi.waitUntil(async () => shows(await node.metrics()), { timeout: 20_000, interval: 5 })
}
