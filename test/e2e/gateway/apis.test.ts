/** What the APIs have in common, tested for each with nodes that run scripted engines. */
import { expect, test } from 'vitest'

import { gatedNode, until } from '../node/harness.ts'
import { events, gateway } from './harness.ts'

const MESSAGES = [{ role: 'user', content: 'hello' }]
const APIS = [
  ['OpenAI', '/v1/chat/completions', {}],
  ['Anthropic', '/v1/messages', { model: 'auto', max_tokens: 100 }],
  ['Ollama', '/api/chat', { model: 'auto' }]
] as const

async function ask(url: string, body: object, signal?: AbortSignal): Promise<Response> {
  return await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ messages: MESSAGES, ...body }),
    ...(signal === undefined ? {} : { signal })
  })
}

test.each(APIS)('%s: a caller that disconnects frees the slot', async (_, path, body) => {
  const { serving } = await gatedNode({ slots: 1 })
  const { url } = await gateway([serving])
  for (const stream of [true, false]) {
    const disconnect = new AbortController()
    const reading = ask(url + path, { ...body, stream }, disconnect.signal)
      .then(async (response) => await response.text())
      .catch(() => 'disconnected')
    await until(serving, ({ requestsRunning }) => requestsRunning === 1)
    disconnect.abort()
    await until(serving, ({ requestsRunning }) => requestsRunning === 0)
    expect(await reading).toBe('disconnected')
  }
})

test('a silent stream of messages has pings', async () => {
  const { gate, serving } = await gatedNode({ slots: 1 })
  const { url } = await gateway([serving], { limits: { keepAliveMs: 20 } })
  const response = await ask(`${url}/v1/messages`, { model: 'auto', max_tokens: 100, stream: true })
  const names: (string | undefined)[] = []
  for await (const { event, data } of events(response)) {
    names.push(event)
    expect(JSON.parse(data)).toMatchObject({ type: event })
    // The first event comes before the node begins.
    if (names.length === 3) gate.open()
  }
  expect(names.slice(0, 3)).toEqual(['message_start', 'ping', 'ping'])
  expect(names.at(-1)).toBe('message_stop')
})

test('counting tokens leaves no request on the node', async () => {
  const { serving } = await gatedNode({ slots: 1 })
  const { url } = await gateway([serving])
  const response = await ask(`${url}/v1/messages/count_tokens`, { model: 'auto' })
  expect(await response.json()).toEqual({ input_tokens: 'hello'.length + 3 })
  await until(serving, ({ requestsRunning, requestsWaiting }) => requestsRunning + requestsWaiting === 0)
})

test.each(APIS)('%s: while all nodes are busy, the error says when to retry', async (_, path, body) => {
  const { serving } = await gatedNode({ slots: 1 })
  const { url } = await gateway([serving])
  const disconnect = new AbortController()
  // One answer runs, and eight fill the queue.
  const first = await ask(`${url}/v1/chat/completions`, { n: 9, stream: true }, disconnect.signal)
  await until(serving, ({ requestsWaiting }) => requestsWaiting === 8)
  const refused = await ask(url + path, body)
  expect([refused.status, refused.headers.get('x-should-retry')]).toEqual([429, 'true'])
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
  const { error } = (await refused.json()) as { error: string | { message: string } }
  expect(typeof error === 'string' ? error : error.message).toContain('busy')
  disconnect.abort()
  await expect(first.text()).rejects.toThrow(/abort/i)
})
