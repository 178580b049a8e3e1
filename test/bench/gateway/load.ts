/**
 * Runs many streams at once through a gateway, its client and a node with a scripted engine. It checks that each
 * character arrives exactly once and in order, and measures the time from the engine to the reader.
 */
import { request, type IncomingMessage } from 'node:http'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'

import { createClient, type Client } from '@potluck/client'
import { startGateway } from '@potluck/gateway'
import pino from 'pino'

import { startNode } from '../../../node/index.ts'
import { ScriptedEngine } from '../../scripted-engine/engine.ts'

export interface LoadOptions {
  streams: number
  /** How many answers each stream requests, one after the other. `until` can end the stream earlier. */
  answers: number
  /** Tokens of an answer. Each token is one character. */
  tokens: number
  /** Milliseconds between two tokens of the same answer. 0: as fast as the engine can. */
  paceMs: number
  /** `sdk` uses the client directly, without HTTP. */
  through: 'gateway' | 'sdk'
  /** When it aborts, the streams finish their current answers and request no more. */
  until?: AbortSignal
  /** Called after each answer. */
  onAnswer?: () => void
}

export interface LoadResult {
  answers: number
  tokens: number
  /** The time of each token from the engine's evaluation to its reader. */
  latenciesMs: Float64Array
}

/** How many latencies are kept. Beyond that, each new latency replaces the oldest. */
const MAX_SAMPLES = 200_000

/** @throws Error for a character that is lost, repeated or out of order */
export async function runLoad(options: LoadOptions): Promise<LoadResult> {
  const { streams, tokens, paceMs, through } = options
  const text = numbered(tokens)
  const began = new Map<bigint, number[]>()
  const engine = new ScriptedEngine({
    slots: streams,
    contextLength: tokens + 512,
    reply: () => text,
    before: async ({ kind, job, position }) => {
      if (kind !== 'token' || !('sampling' in job)) return
      if (paceMs > 0) await sleep(paceMs)
      const { seed } = (job as { sampling: { seed: bigint } }).sampling
      const times = began.get(seed)
      if (times !== undefined) times[position] = performance.now()
    }
  })
  const logger = pino({ level: 'silent' })
  const limits = { streamsPerPeer: streams + 1, unreadStreams: streams + 1 }
  const node = await startNode({ engine, listen: ['/ip4/127.0.0.1/tcp/0'], scope: 'local', logger, limits })
  const client = await createClient({ bootstrap: node.addresses(), mdns: false })
  const gateway = await startGateway({
    client,
    port: 0,
    limits: { answers: streams, connections: streams + 8, requestsPerMinute: 1_000_000 }
  })
  const latencies = new Samples(MAX_SAMPLES)
  let answers = 0
  let read = 0
  const stream = async (index: number): Promise<void> => {
    for (let round = 0; round < options.answers && options.until?.aborted !== true; round++) {
      const seed = index * 1_000_000 + round
      const times: number[] = []
      began.set(BigInt(seed), times)
      let at = 0
      const ask = { seed, tokens, url: gateway.url, client }
      for await (const piece of through === 'sdk' ? overSdk(ask) : overHttp(ask)) {
        if (piece !== text.slice(at, at + piece.length)) throw new Error(`stream ${index}: wrong text at ${at}`)
        const now = performance.now()
        for (const end = at + piece.length; at < end; at++) latencies.add(now - (times[at] ?? now))
      }
      if (at !== tokens) throw new Error(`stream ${index}: ${at} of ${tokens} characters`)
      began.delete(BigInt(seed))
      read += at
      answers++
      options.onAnswer?.()
    }
  }
  try {
    await Promise.all(Array.from({ length: streams }, async (_, index) => await stream(index)))
    return { answers, tokens: read, latenciesMs: latencies.values }
  } finally {
    await gateway.stop()
    await client.stop()
    await node.stop()
  }
}

interface LoadRequest {
  seed: number
  tokens: number
  url: string
  client: Client
}

async function* overSdk({ seed, tokens, client }: LoadRequest): AsyncGenerator<string> {
  const messages = [{ role: 'user' as const, content: String(seed) }]
  for await (const part of client.chat({ messages, seed: BigInt(seed), maxTokens: tokens })) {
    if (part.type === 'delta' && part.text !== '') yield part.text
  }
}

async function* overHttp({ seed, tokens, url }: LoadRequest): AsyncGenerator<string> {
  const asked = request(`${url}/v1/chat/completions`, { method: 'POST', agent: false })
  const messages = [{ role: 'user', content: String(seed) }]
  asked.end(JSON.stringify({ messages, seed, max_tokens: tokens, stream: true }))
  const [response] = (await once(asked, 'response')) as [IncomingMessage]
  let rest = ''
  for await (const piece of response.setEncoding('utf8') as AsyncIterable<string>) {
    const lines = (rest + piece).split('\n\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      if (line === 'data: [DONE]') return
      if (!line.startsWith('data: ')) continue
      const chunk = JSON.parse(line.slice('data: '.length)) as { choices?: { delta: { content?: string } }[] }
      if (chunk.choices === undefined) throw new Error(`not a chunk of an answer: ${line}`)
      const content = chunk.choices[0]?.delta.content ?? ''
      if (content !== '') yield content
    }
  }
  throw new Error('the stream ended without [DONE]')
}

/** The text `0,1,2,…`. A lost or repeated piece of it is always noticed, because the numbers never repeat. */
function numbered(length: number): string {
  let text = ''
  for (let number = 0; text.length < length; number++) text += `${number},`
  return text.slice(0, length)
}

/** Keeps the latest samples in bounded memory. */
class Samples {
  readonly #values: Float64Array
  #count = 0

  constructor(most: number) {
    this.#values = new Float64Array(most)
  }

  get values(): Float64Array {
    return this.#values.slice(0, Math.min(this.#count, this.#values.length))
  }

  add(value: number): void {
    this.#values[this.#count++ % this.#values.length] = value
  }
}
