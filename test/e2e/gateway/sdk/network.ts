/** A testnet of crumb, each node a process, and a gateway before it: what the SDKs' tests run against. */
import { createClient } from '@potluck/client'
import { startGateway } from '@potluck/client/gateway'
import { afterAll, beforeAll } from 'vitest'

import { crumb } from '../../../../node/models/crumb.ts'
import { startFleet, type Member } from '../../../../scripts/testnet/fleet.ts'

export const MODEL: string = crumb.Q8_0.name
export const PROMPT = 'Tell me a story about a fox.'

export interface CrumbNetwork {
  /** For the SDKs: with `/v1`. */
  baseURL: string
  nodes: readonly Member[]
  /** Forbids what ends an answer: it goes on until somebody leaves. */
  endless: { logit_bias: Record<string, number> }
}

/** Started before the tests of a file and stopped after them; to be read inside them. */
export function crumbNetwork(): CrumbNetwork {
  const network = {} as CrumbNetwork
  const stops: (() => Promise<void>)[] = []
  beforeAll(async () => {
    const spec = { role: 'node', crumb: 'Q8_0', slots: 2 } as const
    const fleet = await startFleet({ nodes: [1, 2].map((number) => ({ ...spec, name: `node-${number}` })) })
    stops.push(async () => await fleet.stop())
    const client = await createClient({ bootstrap: fleet.relay.addresses, scope: 'local', mdns: false })
    stops.push(async () => await client.stop())
    const gateway = await startGateway({ client, port: 0 })
    stops.push(async () => await gateway.stop())
    const { tokens } = await client.chat({ messages: [{ role: 'user', content: PROMPT }], temperature: 0 }).result()
    const endless = { logit_bias: { [tokens.at(-1) ?? 0]: -100 } }
    Object.assign(network, { nodes: fleet.nodes, baseURL: `${gateway.url}/v1`, endless })
  })
  afterAll(async () => {
    for (const stop of stops.toReversed()) await stop()
  })
  return network
}

/** Answers that the nodes gave up because their callers left: of those none can have come to its own end. */
export async function abortedAnswers({ nodes }: CrumbNetwork): Promise<number> {
  const metrics = await Promise.all(nodes.map(async (node) => await node.metrics()))
  return metrics.reduce((sum, { requestsFinished }) => sum + (requestsFinished.aborted ?? 0), 0)
}

/** For what nodes do within milliseconds, unless others want the cores. */
export const PATIENCE = { timeout: 20_000, interval: 5 }
