/**
 * What the network adds to a request. Two equal engines on the same file: one behind a node in a process of its own,
 * asked over libp2p, and one that this process asks over IPC, as the node does. Requests alternate between them, so
 * that whatever else the machine does meets both.
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { Socket } from 'node:net'
import { createClient, type Client } from '@potluck/client'
import pino from 'pino'
import { startLlamaEngine, type Engine } from '../../node/engine/index.ts'
import { crumb } from '../../node/models/crumb.ts'
import { startFleet, type Member } from '../../scripts/testnet/fleet.ts'
import { throughEngine, throughNetwork } from './first-token.ts'
import { quantile, type BenchContext } from './report.ts'

/** Enough for a p99 that is not the maximum. */
const REQUESTS = 200
/** Until both sides' caches, connections and compiled code are warm. */
const WARM_UP = 30
/** Streamed answers behind the figures per token, and the least tokens they have to come to. */
const STREAMED_TOKENS = 8000

const INPUT = { messages: [{ role: 'user' as const, content: 'Tell me a story about a fox.' }] }

export async function run({ signal, report, note }: BenchContext): Promise<void> {
  const sockets = new Set<Socket>()
  const onSocket = (message: unknown): void => void sockets.add((message as { socket: Socket }).socket)
  subscribe('net.client.socket', onSocket)
  note('Starting a relay, a node and an engine without a network.')
  const fleet = await startFleet({
    nodes: [{ name: 'node-1', role: 'node', crumb: 'Q8_0', slots: 1 }],
    signal
  })
  try {
    const engine = await startLlamaEngine({
      modelPath: crumb.Q8_0.path,
      slots: 1,
      threads: 1,
      gpu: false,
      logger: pino({ level: 'silent' }),
      signal
    })
    try {
      const client = await createClient({ bootstrap: [...fleet.relay.addresses], scope: 'local', mdns: false, signal })
      try {
        await timeToFirstToken(client, engine, { signal, report, note })
        const [node] = fleet.nodes
        if (node !== undefined) await costPerToken(client, node, sockets, { signal, report, note })
      } finally {
        await client.stop()
      }
    } finally {
      await engine.close()
    }
  } finally {
    unsubscribe('net.client.socket', onSocket)
    await fleet.stop()
  }
}

type Output = Pick<BenchContext, 'signal' | 'report' | 'note'>

async function timeToFirstToken(client: Client, engine: Engine, { signal, report, note }: Output): Promise<void> {
  note(`${REQUESTS} requests of one token, network and engine in turn.`)
  const network: number[] = []
  const own: number[] = []
  for (let index = 0; index < WARM_UP + REQUESTS; index++) {
    const overNetwork = await throughNetwork(client, { ...INPUT, signal })
    const direct = await throughEngine(engine, { ...INPUT, signal })
    if (index < WARM_UP) continue
    network.push(overNetwork)
    own.push(direct)
  }
  for (const [name, share] of [
    ['p50', 0.5],
    ['p99', 0.99]
  ] as const) {
    const [ofNetwork, ofEngine] = [quantile(network, share), quantile(own, share)]
    const n = REQUESTS
    report({ case: 'network', metric: `ttft_ms_${name}`, value: ofNetwork, unit: 'ms', n })
    report({ case: 'engine', metric: `ttft_ms_${name}`, value: ofEngine, unit: 'ms', n })
    report({ case: 'warm', metric: `added_ttft_ms_${name}`, value: ofNetwork - ofEngine, unit: 'ms', n })
  }
}

/** CPU time of the node's daemon and of this process, which holds only the client, and bytes of its sockets. */
async function costPerToken(client: Client, node: Member, sockets: Set<Socket>, output: Output): Promise<void> {
  const { signal, report, note } = output
  note(`Answers of ${STREAMED_TOKENS} tokens in all, streamed one after the other.`)
  const stream = async (atLeast: number): Promise<number> => {
    let tokens = 0
    while (tokens < atLeast) {
      const answer = client.chat({ ...INPUT, temperature: 1, signal })
      await answer.text()
      tokens += (await answer.result()).usage.completionTokens
    }
    return tokens
  }
  const bytes = (): number =>
    [...sockets].reduce((sum, { bytesRead, bytesWritten }) => sum + bytesRead + bytesWritten, 0)
  await stream(STREAMED_TOKENS / 8)
  const before = { node: await node.usage(), client: process.cpuUsage(), bytes: bytes() }
  const tokens = await stream(STREAMED_TOKENS)
  const client_ = process.cpuUsage(before.client)
  const clientMicros = client_.user + client_.system
  const nodeMicros = (await node.usage()).cpuMicros - before.node.cpuMicros
  const row = { unit: 'us', n: tokens, metric: 'cpu_us_per_token' }
  report({ ...row, case: 'node', value: nodeMicros / tokens })
  report({ ...row, case: 'client', value: clientMicros / tokens })
  report({ ...row, case: 'node+client', value: (nodeMicros + clientMicros) / tokens })
  const wire = (bytes() - before.bytes) / tokens
  report({ case: 'client', metric: 'wire_bytes_per_token', value: wire, unit: 'bytes', n: tokens })
}
