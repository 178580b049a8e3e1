/**
 * What the network adds to a request. Two equal engines load the same file. The first belongs to a node in another
 * process, which the client reaches over libp2p. This process uses the second engine over IPC, as the node uses its
 * own. Requests alternate between the two, so that other load on the machine affects both.
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { Socket } from 'node:net'
import { createClient, type AnswerResult, type Client } from '@potluck/client'
import type { Engine } from '../../node/engine/index.ts'
import { startFleet, type Member } from '../../scripts/testnet/fleet.ts'
import { startBenchEngine } from './engine.ts'
import { compareFirstToken, throughEngine, throughNetwork } from './first-token.ts'
import type { BenchContext } from './report.ts'

/** Enough for a p99 that is not the maximum. */
const REQUESTS = 200
/** Requests before the measurement, so that caches, connections and compiled code are warm on both sides. */
const WARM_UP = 30
/** The longest answer that fits crumb's context. */
const LONG_ANSWER = 900
const STREAMED_ANSWERS = 10

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
    const engine = await startBenchEngine({ signal })
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
  const path = { name: 'network', measure: () => throughNetwork(client, { ...INPUT, signal }) }
  const baseline = { name: 'engine', measure: () => throughEngine(engine, { ...INPUT, signal }) }
  await compareFirstToken({ path, baseline, addedCase: 'warm', requests: REQUESTS, warmUp: WARM_UP }, report)
}

interface Cost {
  nodeMicros: number
  clientMicros: number
  wireBytes: number
}

/**
 * Measures the CPU time of the node's process without its engine, the CPU time of this process, and the bytes on the
 * client's sockets. This process runs only the client, which reads every part. Long answers show the cost of a streamed
 * token. Requests of one token show the cost of a request.
 */
async function costPerToken(client: Client, node: Member, sockets: Set<Socket>, output: Output): Promise<void> {
  const { signal, report, note } = output
  const ask = async (maxTokens: number, forbidden: number[]): Promise<AnswerResult> => {
    const logitBias = new Map(forbidden.map((token) => [token, -100]))
    const answer = client.chat({ ...INPUT, maxTokens, temperature: 1, logitBias, signal })
    for await (const _ of answer);
    return await answer.result()
  }
  const cost = async (work: () => Promise<void>): Promise<Cost> => {
    const before = { node: await node.usage(), client: process.cpuUsage(), bytes: bytesOf(sockets) }
    await work()
    const { user, system } = process.cpuUsage(before.client)
    const nodeMicros = (await node.usage()).cpuMicros - before.node.cpuMicros
    return { nodeMicros, clientMicros: user + system, wireBytes: bytesOf(sockets) - before.bytes }
  }

  // The last token of a complete answer is the end-of-turn token. Without it the model runs to the token limit.
  const endOfTurn = (await ask(LONG_ANSWER, [])).tokens.slice(-1)
  note(`${STREAMED_ANSWERS} answers of ${LONG_ANSWER} tokens, one after the other.`)
  await ask(LONG_ANSWER, endOfTurn)
  let tokens = 0
  const streamed = await cost(async () => {
    for (let index = 0; index < STREAMED_ANSWERS; index++) {
      tokens += (await ask(LONG_ANSWER, endOfTurn)).usage.completionTokens
    }
  })
  const perToken = { metric: 'cpu_us_per_token', unit: 'us', n: tokens }
  report({ ...perToken, case: 'node', value: streamed.nodeMicros / tokens })
  report({ ...perToken, case: 'client', value: streamed.clientMicros / tokens })
  report({ ...perToken, case: 'node+client', value: (streamed.nodeMicros + streamed.clientMicros) / tokens })
  const wire = streamed.wireBytes / tokens
  report({ case: 'node+client', metric: 'wire_bytes_per_token', value: wire, unit: 'bytes', n: tokens })

  const single = await cost(async () => {
    for (let index = 0; index < REQUESTS; index++) await ask(1, [])
  })
  const perRequest = { metric: 'cpu_us_per_request', unit: 'us', n: REQUESTS }
  report({ ...perRequest, case: 'node', value: single.nodeMicros / REQUESTS })
  report({ ...perRequest, case: 'client', value: single.clientMicros / REQUESTS })
}

function bytesOf(sockets: Set<Socket>): number {
  return [...sockets].reduce((sum, { bytesRead, bytesWritten }) => sum + bytesRead + bytesWritten, 0)
}
