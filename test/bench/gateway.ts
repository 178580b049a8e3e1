/**
 * Measures what HTTP adds to the SDK. It runs a relay, a node with crumb, and a process with a client and a gateway.
 * The same requests go through the SDK and through the gateway in turn, so that other load on the machine affects both.
 */
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

import { createClient, type Client } from '@potluck/client'

import { startFleet, type Member } from '../../scripts/testnet/fleet.ts'
import { compareFirstToken, throughNetwork } from './first-token.ts'
import { INPUT, type FromGateway, type ToGateway } from './gateway/messages.ts'
import { reportQuantiles, type BenchContext } from './report.ts'
import { until } from './until.ts'

const REQUESTS = 200
const WARM_UP = 30
/** Tokens of a long answer. It fits crumb's context. */
const LONG_ANSWER = 900
const STREAMED_ANSWERS = 10
const ABORTS = 50
const PROCESS = fileURLToPath(new URL('gateway/process.ts', import.meta.url))

export async function run({ signal, report, note }: BenchContext): Promise<void> {
  note('Starting a relay, a node and a gateway.')
  const fleet = await startFleet({ nodes: [{ name: 'node-1', role: 'node', crumb: 'Q8_0', slots: 1 }], signal })
  try {
    const bootstrap = [...fleet.relay.addresses]
    const child = fork(PROCESS, [JSON.stringify(bootstrap)], { signal })
    try {
      const { url } = await received(child, 'ready')
      const client = await createClient({ bootstrap, scope: 'local', mdns: false, signal })
      try {
        await timeToFirstToken(client, url, { signal, report, note })
      } finally {
        await client.stop()
      }
      await costPerToken(child, url, { signal, report, note })
      for (const node of fleet.nodes) await timeToFreeSlot(node, url, { signal, report, note })
    } finally {
      child.disconnect()
    }
  } finally {
    await fleet.stop()
  }
}

type Output = Pick<BenchContext, 'signal' | 'report' | 'note'>

async function timeToFirstToken(client: Client, url: string, { signal, report, note }: Output): Promise<void> {
  note(`${REQUESTS} requests of one token, HTTP and SDK in turn.`)
  const path = { name: 'http', measure: () => throughHttp(url, signal) }
  const baseline = { name: 'sdk', measure: () => throughNetwork(client, { ...INPUT, signal }) }
  await compareFirstToken({ path, baseline, addedCase: 'http', requests: REQUESTS, warmUp: WARM_UP }, report)
}

/** Milliseconds from the request to the first chunk with text. */
async function throughHttp(url: string, signal: AbortSignal): Promise<number> {
  const begin = performance.now()
  let first: number | undefined
  for await (const chunk of ask(url, { max_tokens: 1, temperature: 0 }, signal)) {
    if (/"content":"[^"]/.test(chunk)) first ??= performance.now() - begin
  }
  if (first === undefined) throw new Error('The answer has no token.')
  return first
}

async function* ask(url: string, more: object, signal: AbortSignal): AsyncGenerator<string> {
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ...INPUT, stream: true, stream_options: { include_usage: true }, ...more }),
    signal
  })
  if (!response.ok || response.body === null) throw new Error(`HTTP ${response.status}: ${await response.text()}`)
  yield* response.body.pipeThrough(new TextDecoderStream())
}

/**
 * Measures the processor time of the gateway's process for long streamed answers, and subtracts the time of the same
 * answers through the client alone.
 */
async function costPerToken(child: ChildProcess, url: string, { signal, report, note }: Output): Promise<void> {
  note(`${STREAMED_ANSWERS} answers of ${LONG_ANSWER} tokens through each, in turn.`)
  const cpu = async (): Promise<number> => (await request(child, { type: 'usage' }, 'usage')).cpuMicros
  const overHttp = async (): Promise<number> => {
    let text = ''
    const more = { max_tokens: LONG_ANSWER, logit_bias: Object.fromEntries(forbidden.map((token) => [token, -100])) }
    for await (const chunk of ask(url, more, signal)) text = (text + chunk).slice(-2_000)
    return Number(/"completion_tokens":(\d+)/.exec(text)?.[1])
  }
  const direct = async (): Promise<number> =>
    (await request(child, { type: 'ask', maxTokens: LONG_ANSWER, forbidden }, 'answered')).tokens
  // A complete answer ends with the end-of-turn token. Without that token the model continues.
  const { last } = await request(child, { type: 'ask', maxTokens: LONG_ANSWER, forbidden: [] }, 'answered')
  const forbidden = [last]
  const costs = { http: { micros: 0, tokens: 0 }, sdk: { micros: 0, tokens: 0 } }
  for (let index = -1; index < STREAMED_ANSWERS; index++) {
    for (const [name, work] of [
      ['http', overHttp],
      ['sdk', direct]
    ] as const) {
      const before = await cpu()
      const tokens = await work()
      const micros = (await cpu()) - before
      // The first answer of each kind is a warm-up.
      if (index < 0) continue
      costs[name].micros += micros
      costs[name].tokens += tokens
    }
  }
  const [http, sdk] = [costs.http, costs.sdk].map(({ micros, tokens }) => micros / tokens)
  const row = { metric: 'cpu_us_per_token', unit: 'us', n: costs.http.tokens }
  report({ ...row, case: 'gateway+client', value: http ?? 0 })
  report({ ...row, case: 'client', value: sdk ?? 0 })
  report({ ...row, case: 'http', value: (http ?? 0) - (sdk ?? 0) })
}

/** Measures the time from a caller's disconnect in mid-answer until the node's metrics show a free slot. */
async function timeToFreeSlot(node: Member, url: string, { signal, report, note }: Output): Promise<void> {
  note(`${ABORTS} callers that disconnect in the middle of an answer.`)
  const samples: number[] = []
  for (let index = 0; index < ABORTS; index++) {
    const before = await node.metrics()
    const disconnect = new AbortController()
    let began = Infinity
    const more = { max_tokens: LONG_ANSWER, temperature: 1, seed: index }
    try {
      for await (const chunk of ask(url, more, AbortSignal.any([signal, disconnect.signal]))) {
        if (!/"content":"[^"]/.test(chunk) || disconnect.signal.aborted) continue
        began = performance.now()
        disconnect.abort()
      }
    } catch (error) {
      if (!disconnect.signal.aborted) throw error
    }
    let now = before
    await until(async () => {
      now = await node.metrics()
      return now.requestsRunning === 0 && now.engine?.activeSlots === 0
    }, signal)
    samples.push(performance.now() - began)
    if (now.requestsFinished.aborted === before.requestsFinished.aborted)
      throw new Error('The answer was complete before the caller disconnected.')
  }
  reportQuantiles(report, { case: 'http', metric: 'abort_ms', unit: 'ms' }, samples, [0.5, 0.95])
}

async function request<T extends FromGateway['type']>(
  child: ChildProcess,
  message: ToGateway,
  type: T
): Promise<Extract<FromGateway, { type: T }>> {
  const answer = received(child, type)
  child.send(message)
  return await answer
}

async function received<T extends FromGateway['type']>(
  child: ChildProcess,
  type: T
): Promise<Extract<FromGateway, { type: T }>> {
  const [message] = (await once(child, 'message')) as [FromGateway]
  if (message.type !== type) throw new Error(`expected ${type}, got ${message.type}`)
  return message as Extract<FromGateway, { type: T }>
}
