/** Starts a gateway and its client in a real network on loopback. Both stop with the test. */
import { createClient, type Client, type ClientOptions } from '@potluck/client'
import { startGateway, type Gateway, type GatewayOptions } from '@potluck/gateway'
import { onTestFinished } from 'vitest'

import type { PotluckNode } from '../../../node/index.ts'

async function clientOf(nodes: readonly PotluckNode[], options: ClientOptions = {}): Promise<Client> {
  const bootstrap = nodes.flatMap((node) => node.addresses().slice(0, 1))
  const client = await createClient({ bootstrap, mdns: false, scope: 'local', ...options })
  onTestFinished(async () => await client.stop())
  return client
}

/** Starts a gateway on a free port with a client that knows these nodes. */
export async function gateway(
  nodes: readonly PotluckNode[],
  options: Partial<GatewayOptions> = {}
): Promise<Gateway & { failures: unknown[] }> {
  const client = options.client ?? (await clientOf(nodes))
  const failures: unknown[] = []
  const started = await startGateway({ port: 0, onFailure: (error) => failures.push(error), ...options, client })
  onTestFinished(async () => await started.stop())
  return { ...started, failures }
}

export async function post(
  url: string,
  path: string,
  body: object,
  { headers = {}, signal }: { headers?: Record<string, string>; signal?: AbortSignal } = {}
): Promise<Response> {
  return await fetch(`${url}/v1/${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
    ...(signal === undefined ? {} : { signal })
  })
}

export interface ReceivedEvent {
  event: string | undefined
  data: string
}

/** The events of a stream. A comment becomes an event named `:`. */
export async function* events(response: Response): AsyncGenerator<ReceivedEvent> {
  let text = ''
  for await (const piece of (response.body ?? new ReadableStream()).pipeThrough(new TextDecoderStream())) {
    text += piece
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const lines = text.slice(0, end).split('\n')
      text = text.slice(end + 2)
      const comment = lines.find((line) => line.startsWith(':'))
      if (comment !== undefined) yield { event: ':', data: comment.slice(1).trim() }
      else {
        const field = (name: string): string | undefined =>
          lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2)
        yield { event: field('event'), data: field('data') ?? '' }
      }
    }
  }
}

/** A chunk of a chat or a text completion, with the fields that tests check. */
export interface Chunk {
  id: string
  choices: { index: number; text?: string; delta?: { role?: string; content?: string }; finish_reason: string | null }[]
  usage?: object
  error?: object
}

/** Parses all events of a stream. `done` reports whether `[DONE]` arrived. */
export async function chunks(response: Response): Promise<{ chunks: Chunk[]; done: boolean }> {
  const found: Chunk[] = []
  let done = false
  for await (const { data } of events(response)) {
    if (data === '[DONE]') done = true
    else if (data.startsWith('{')) found.push(JSON.parse(data) as Chunk)
  }
  return { chunks: found, done }
}
