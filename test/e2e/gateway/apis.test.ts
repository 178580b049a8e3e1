/** What the APIs have in common, tested for each with nodes that run scripted engines. */
import { expect, test } from 'vitest'

import { ScriptedEngine } from '../../scripted-engine/engine.ts'
import { gatedNode, node, until } from '../node/harness.ts'
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

const SCHEMA = { type: 'object', properties: { what: { type: 'string' } }, required: ['what'] }
const FUNCTION = { name: 'find', description: 'Finds.', parameters: SCHEMA }
const CALL = '<tool_call>\n{"name": "find", "arguments": {"what": "a red fox"}}\n</tool_call>'
/** Within the arguments. */
const CUT_AT = CALL.indexOf('red')
interface Sent {
  event: string | undefined
  data: string
}
/** Of each API: the path, the request, what the stream says about the arguments, its last event, and its error. */
const TOOL_APIS: readonly [string, string, object, (sent: Sent) => string | undefined, string, string][] = [
  [
    'chat completions',
    '/v1/chat/completions',
    { tools: [{ type: 'function', function: FUNCTION }] },
    ({ data }) => /"arguments":("(?:[^"\\]|\\.)*")/.exec(data)?.[1],
    '[DONE]',
    'engine_failed'
  ],
  [
    'responses',
    '/v1/responses',
    { messages: undefined, input: 'hello', tools: [{ type: 'function', ...FUNCTION }] },
    ({ event, data }) =>
      event === 'response.function_call_arguments.delta' ? /"delta":("(?:[^"\\]|\\.)*")/.exec(data)?.[1] : undefined,
    'response.completed',
    'response.failed'
  ],
  [
    'messages',
    '/v1/messages',
    { model: 'auto', max_tokens: 200, tools: [{ name: 'find', input_schema: SCHEMA }] },
    ({ data }) => /"partial_json":("(?:[^"\\]|\\.)*")/.exec(data)?.[1],
    'message_stop',
    'event: error'
  ]
]

test.each(TOOL_APIS)('%s: a node that fails in a tool call', async (_, path, body, argumentsOf, last, error) => {
  let cuts = 0
  const cutting = (): ScriptedEngine =>
    new ScriptedEngine({
      contextLength: 2048,
      reply: () => CALL,
      before: ({ kind, position }) => (kind === 'token' && position === CUT_AT && cuts-- > 0 ? 'cut' : undefined)
    })
  const { url } = await gateway([await node(cutting()), await node(cutting())])
  cuts = 1
  const pieces: string[] = []
  let text = ''
  for await (const sent of events(await ask(url + path, { ...body, stream: true }))) {
    const piece = argumentsOf(sent)
    if (piece !== undefined) pieces.push(JSON.parse(piece) as string)
    text += `${sent.event} ${sent.data}\n`
  }
  expect(JSON.parse(pieces.join(''))).toEqual({ what: 'a red fox' })
  expect(text).toContain(last)
  cuts = Infinity
  const failed = await (await ask(url + path, { ...body, stream: true })).text()
  expect(failed).toContain(error)
  expect(failed).not.toContain(last)
})

test('Ollama: a node that fails in a tool call gives no half of a call', async () => {
  let cuts = 0
  const engine = new ScriptedEngine({
    contextLength: 2048,
    reply: () => CALL,
    before: ({ kind, position }) => (kind === 'token' && position === CUT_AT && cuts-- > 0 ? 'cut' : undefined)
  })
  const { url } = await gateway([await node(engine)])
  cuts = Infinity
  const body = { model: 'auto', tools: [{ type: 'function', function: FUNCTION }] }
  const failed = await (await ask(`${url}/api/chat`, body)).text()
  expect(failed).toContain('"error":')
  expect(failed).not.toMatch(/tool_calls|"done":true/)
  cuts = 0
  const lines = (await (await ask(`${url}/api/chat`, body)).text()).trim().split('\n')
  expect(lines.join()).toContain('"arguments":{"what":"a red fox"}')
  expect(JSON.parse(lines.at(-1)!)).toMatchObject({ done: true })
})
