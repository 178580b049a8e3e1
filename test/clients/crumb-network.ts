/** The network for the tests of SDKs: nodes that serve crumb, each in its own process, and a gateway. */
import { startGateway } from '@potluck/gateway'
import { afterAll, beforeAll } from 'vitest'

import type { NodeMetrics } from '../../node/index.ts'
import { crumb } from '../../node/models/crumb.ts'
import { clientOf } from '../../scripts/testnet/find-nodes.ts'
import { startFleet, type Member } from '../../scripts/testnet/fleet.ts'

export const MODEL: string = crumb.Q8_0.name
export const PROMPT = 'Tell me a story about a fox.'

export interface CrumbNetwork {
  url: string
  /** The base URL for SDKs, which ends in `/v1`. */
  baseURL: string
  nodes: readonly Member[]
  /** Forbids the end-of-turn token, so that an answer continues until it is cancelled. */
  endless: { logit_bias: Record<string, number> }
}

/** Starts the network before the tests of a file and stops it after them. Read its fields only inside tests. */
export function crumbNetwork(): CrumbNetwork {
  const network = {} as CrumbNetwork
  const stops: (() => Promise<void>)[] = []
  beforeAll(async () => {
    const spec = { role: 'node', crumb: 'Q8_0', slots: 2 } as const
    const fleet = await startFleet({ nodes: [1, 2].map((number) => ({ ...spec, name: `node-${number}` })) })
    stops.push(async () => await fleet.stop())
    const client = await clientOf(fleet, { signal: new AbortController().signal })
    stops.push(async () => await client.stop())
    const gateway = await startGateway({ client, port: 0 })
    stops.push(async () => await gateway.stop())
    const { tokens } = await client.chat({ messages: [{ role: 'user', content: PROMPT }], temperature: 0 }).result()
    const endless = { logit_bias: { [tokens.at(-1) ?? 0]: -100 } }
    const { url } = gateway
    Object.assign(network, { nodes: fleet.nodes, url, baseURL: `${url}/v1`, endless })
  })
  afterAll(async () => {
    for (const stop of stops.toReversed()) await stop()
  })
  return network
}

/**
 * What the nodes report: how many slots are busy, and how many answers they cancelled because the caller closed the
 * stream.
 */
export async function workOf({ nodes }: CrumbNetwork): Promise<{ active: number; aborted: number }> {
  const metrics = await Promise.all(nodes.map(async (node) => await node.metrics()))
  const sum = (count: (one: NodeMetrics) => number | undefined): number =>
    metrics.reduce((total, one) => total + (count(one) ?? 0), 0)
  return {
    active: sum(({ requestsRunning, engine }) => requestsRunning + (engine?.activeSlots ?? 0)),
    aborted: sum(({ requestsFinished }) => requestsFinished.aborted)
  }
}

/** How to wait for a change on a node. A change takes milliseconds, but longer on a busy machine. */
export const POLL = { timeout: 20_000, interval: 5 }
