/** The gateway's answers, chunks, headers and errors, tested with nodes that run scripted engines. */
import { expect, test, vi } from 'vitest'

import { ScriptedEngine } from '../../scripted-engine/engine.ts'
import { createClient } from '@potluck/client'
import { caller, gatedNode, node, until } from '../node/harness.ts'
import { chunks, events, gateway, post } from './harness.ts'

const MESSAGES = [{ role: 'user', content: 'hello' }]
const ANSWER = 'The quick brown fox.'

const scripted = (options: ConstructorParameters<typeof ScriptedEngine>[0] = {}): ScriptedEngine =>
  new ScriptedEngine({ reply: () => ANSWER, ...options })

test('a whole answer names the node that gave it', async () => {
  const serving = await node(scripted())
  const { url } = await gateway([serving])
  const response = await post(url, 'chat/completions', { model: 'potluck/scripted:F32', messages: MESSAGES })
  expect(response.status).toBe(200)
  expect(response.headers.get('x-potluck-node')).toBe(serving.peerId.toString())
  expect(response.headers.get('x-potluck-route')).toBe('direct')
  expect(response.headers.get('x-request-id')).toMatch(/^[\w-]+$/)
  const body = (await response.json()) as Record<string, unknown>
  expect(body).toMatchObject({
    object: 'chat.completion',
    model: 'potluck/scripted:F32',
    choices: [{ index: 0, message: { role: 'assistant', content: ANSWER }, logprobs: null, finish_reason: 'stop' }],
    usage: {
      prompt_tokens: 8,
      completion_tokens: ANSWER.length + 1,
      prompt_tokens_details: { cached_tokens: expect.any(Number) },
      potluck: {
        node: serving.peerId.toString(),
        route: 'direct',
        failovers: 0,
        continuation: null,
        audit: { standing: 'probationary', audited_tokens: 0 }
      }
    }
  })
})

test('a stream has one id, the role only in the first chunk, an empty last delta, and usage only on request', async () => {
  const { url } = await gateway([await node(scripted())])
  const ask = async (more: object): ReturnType<typeof chunks> =>
    await chunks(await post(url, 'chat/completions', { messages: MESSAGES, stream: true, ...more }))
  const plain = await ask({})
  expect(plain.done).toBe(true)
  expect(new Set(plain.chunks.map(({ id }) => id)).size).toBe(1)
  expect(plain.chunks.every(({ choices }) => choices.length === 1)).toBe(true)
  const deltas = plain.chunks.flatMap(({ choices }) => choices)
  expect(deltas.map(({ delta }) => delta?.role)).toEqual(['assistant', ...Array(deltas.length - 1).fill(undefined)])
  expect(deltas.map(({ delta }) => delta?.content ?? '').join('')).toBe(ANSWER)
  expect(deltas.at(-1)).toEqual({ index: 0, delta: {}, logprobs: null, finish_reason: 'stop' })
  const counted = await ask({ stream_options: { include_usage: true } })
  expect(counted.chunks.at(-1)).toMatchObject({ choices: [], usage: { completion_tokens: ANSWER.length + 1 } })
})

test('the headers of a stream arrive while the request waits in the queue of the node, and comments keep it alive', async () => {
  const { gate, serving } = await gatedNode({ slots: 1 })
  const { url } = await gateway([serving], { limits: { keepAliveMs: 20 } })
  const first = await post(url, 'chat/completions', { messages: MESSAGES, stream: true })
  const second = await post(url, 'chat/completions', { messages: MESSAGES, stream: true })
  await until(serving, ({ requestsWaiting }) => requestsWaiting === 1)
  expect(second.headers.get('content-type')).toContain('text/event-stream')
  const received: string[] = []
  for await (const { event } of events(second)) {
    received.push(event ?? 'chunk')
    if (event === ':') gate.open()
  }
  expect(received).toContain(':')
  expect((await chunks(first)).done).toBe(true)
})

test('an answer includes the stop sequence that ended it, if the request asks for it', async () => {
  const { url } = await gateway([await node(scripted({ reply: () => 'one, two; three' }))])
  const body = { messages: MESSAGES, stop: [';', 'two; t'], include_stop_str_in_output: true }
  const text = async (path: string, more: object): Promise<unknown> => await (await post(url, path, more)).json()
  expect(await text('chat/completions', body)).toMatchObject({ choices: [{ message: { content: 'one, two;' } }] })
  const streamed = await chunks(await post(url, 'chat/completions', { ...body, stream: true }))
  expect(streamed.chunks.map(({ choices }) => choices[0]?.delta?.content ?? '').join('')).toBe('one, two;')
  const prompt = { prompt: 'hello', max_tokens: 50, stop: 'three', include_stop_str_in_output: true }
  expect(await text('completions', prompt)).toMatchObject({ choices: [{ text: 'one, two; three', logprobs: null }] })
  expect(await text('completions', { ...prompt, stop: 'four' })).toMatchObject({
    choices: [{ text: 'one, two; three' }]
  })
})

test('token ids can end an answer, and it can have a least length; another node continues it by the same rules', async () => {
  let cut = false
  const engine = (): ScriptedEngine =>
    scripted({
      reply: () => 'abcdef',
      before: ({ kind, position }) => {
        if (!cut || kind !== 'token' || position !== 2) return undefined
        cut = false
        return 'cut'
      }
    })
  const { url } = await gateway([await node(engine()), await node(engine())])
  const answer = async (more: object): Promise<unknown> =>
    await (await post(url, 'chat/completions', { messages: MESSAGES, seed: 1, ...more })).json()
  const { tokens } = (await (await post(url, 'tokenize', { prompt: 'd' })).json()) as { tokens: number[] }
  const stop_token_ids = tokens.slice(-1)
  for (cut of [false, true]) {
    const stopped = { choices: [{ message: { content: 'abcd' }, finish_reason: 'stop' }] }
    expect(await answer({ stop_token_ids })).toMatchObject(stopped)
  }
  for (cut of [false, true]) {
    const longer = (await answer({ stop_token_ids, min_tokens: 9, max_tokens: 9 })) as {
      choices: [{ message: { content: string } }]
    }
    expect(longer).toMatchObject({ choices: [{ finish_reason: 'length' }], usage: { completion_tokens: 9 } })
    // The fourth token would have been the one that ends the answer.
    expect(longer.choices[0].message.content).toMatch(/^abc[^d]ef/)
  }
  const refused = await post(url, 'chat/completions', { messages: MESSAGES, min_tokens: 9, max_tokens: 8 })
  expect([refused.status, await refused.text()]).toEqual([400, expect.stringContaining('min_tokens')])
})

test('several answers have different seeds, derived from the given seed', async () => {
  const { url } = await gateway([await node(new ScriptedEngine())])
  const ask = async (more: object): Promise<string[]> => {
    const response = await post(url, 'chat/completions', { messages: MESSAGES, max_tokens: 24, seed: 7, ...more })
    const { choices } = (await response.json()) as { choices: { index: number; message: { content: string } }[] }
    expect(choices.map(({ index }) => index)).toEqual([...choices.keys()])
    return choices.map(({ message }) => message.content)
  }
  const three = await ask({ n: 3 })
  expect(new Set(three).size).toBe(3)
  expect(await ask({ n: 3 })).toEqual(three)
  expect(await ask({})).toEqual(three.slice(0, 1))
})

test('log-probabilities cover the text, with the requested number of alternatives', async () => {
  const { url } = await gateway([await node(scripted())])
  const response = await post(url, 'chat/completions', { messages: MESSAGES, logprobs: true, top_logprobs: 3 })
  const { choices } = (await response.json()) as {
    choices: { logprobs: { content: { token: string; bytes: number[]; top_logprobs: unknown[] }[] } }[]
  }
  const content = choices[0]?.logprobs.content ?? []
  expect(content.map(({ token }) => token).join('')).toBe(ANSWER)
  for (const { top_logprobs } of content) expect(top_logprobs).toHaveLength(3)
})

test('a text completion continues each prompt, echoes it, and stops at max_tokens', async () => {
  const { url } = await gateway([await node(scripted())])
  const body = { prompt: ['Once ', 'Twice '], max_tokens: 3, echo: true, n: 2 }
  const response = await post(url, 'completions', body)
  const { choices, usage } = (await response.json()) as {
    choices: { text: string; finish_reason: string }[]
    usage: { prompt_tokens: number; completion_tokens: number }
  }
  expect(choices.map(({ text }) => text)).toEqual(['Once The', 'Once The', 'Twice The', 'Twice The'])
  expect(new Set(choices.map(({ finish_reason }) => finish_reason))).toEqual(new Set(['length']))
  expect(usage).toMatchObject({ prompt_tokens: 6 + 7, completion_tokens: 12 })
  const streamed = await chunks(await post(url, 'completions', { ...body, prompt: 'Once ', n: 1, stream: true }))
  const texts = streamed.chunks.map(({ choices: [choice] }) => choice?.text)
  expect(texts.join('')).toBe('Once The')
})

test('the gateway finds a model by its name, by its digest and as auto; ids can be percent-encoded', async () => {
  const engine = scripted()
  const { url } = await gateway([await node(engine)])
  const list = (await (await fetch(`${url}/v1/models`)).json()) as {
    data: { id: string; potluck: { digest: string } | null }[]
  }
  expect(list.data.map(({ id }) => id)).toEqual(['auto', 'potluck/scripted:F32'])
  const digest = list.data[1]?.potluck?.digest ?? ''
  for (const id of ['potluck/scripted:F32', 'potluck%2Fscripted%3AF32', digest, encodeURIComponent(digest), 'auto']) {
    const found = await fetch(`${url}/v1/models/${id}`)
    expect([id, found.status]).toEqual([id, 200])
  }
  for (const model of ['POTLUCK/scripted:f32', digest, 'auto']) {
    const response = await post(url, 'chat/completions', { model, messages: MESSAGES })
    expect([model, response.status]).toEqual([model, 200])
  }
  const absent = await fetch(`${url}/v1/models/nobody/has:it`)
  expect([absent.status, await absent.json()]).toMatchObject([404, { error: { code: 'model_not_found' } }])
})

test('if no node with the model supports a request, a 400 lists what the nodes support', async () => {
  const { url } = await gateway([await node(scripted({ model: { features: ['chat'] } }))])
  const ask = async (more: object): Promise<unknown> =>
    await (await post(url, 'chat/completions', { messages: MESSAGES, model: 'potluck/scripted:F32', ...more })).json()
  expect(await ask({ logprobs: true })).toMatchObject({
    error: { code: 'unsupported', message: expect.stringContaining('potluck/scripted:F32 (chat; up to 512 tokens)') }
  })
  expect(await ask({ max_tokens: 4096 })).toMatchObject({
    error: { code: 'context_length_exceeded', param: 'max_tokens' }
  })
})

test('after a failure in the middle of an answer, the stream has an error event and no [DONE]', async () => {
  let crash = false
  const engine = scripted({
    before: ({ position }) => (crash && position === 5 ? 'cut' : undefined)
  })
  const serving = await node(engine)
  const { url } = await gateway([serving])
  crash = true
  const { chunks: got, done } = await chunks(await post(url, 'chat/completions', { messages: MESSAGES, stream: true }))
  expect(done).toBe(false)
  expect(got.at(-1)).toMatchObject({ error: { type: 'server_error', code: 'engine_failed' } })
})

test('if all nodes are busy, a 429 gives the shortest wait', async () => {
  const { serving } = await gatedNode({ slots: 1 })
  const { url } = await gateway([serving])
  const disconnect = new AbortController()
  // One answer runs, and eight fill the queue.
  const more = { messages: MESSAGES, n: 9, stream: true }
  const first = await post(url, 'chat/completions', more, { signal: disconnect.signal })
  await until(serving, ({ requestsWaiting }) => requestsWaiting === 8)
  const refused = await post(url, 'chat/completions', { messages: MESSAGES, stream: true })
  expect([refused.status, refused.headers.get('x-should-retry')]).toEqual([429, 'true'])
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(10)
  expect(await refused.json()).toMatchObject({ error: { type: 'rate_limit_error', code: 'rate_limit_exceeded' } })
  disconnect.abort()
  await expect(first.text()).rejects.toThrow('abort')
})

test('if a node fails, another node continues, and the answer reports the failover; if all nodes fail, the error is a 502', async () => {
  let cuts = 0
  const cutting = (): ScriptedEngine =>
    scripted({ before: ({ kind, position }) => (kind === 'token' && position === 5 && cuts-- > 0 ? 'cut' : undefined) })
  const nodes = [await node(cutting()), await node(cutting())]
  const { url } = await gateway(nodes)
  cuts = 1
  const response = await post(url, 'chat/completions', { messages: MESSAGES })
  expect([response.status, response.headers.get('x-potluck-failovers')]).toEqual([200, '1'])
  expect(await response.json()).toMatchObject({
    choices: [{ message: { content: ANSWER } }],
    usage: { potluck: { failovers: 1, continuation: 'same_model' } }
  })
  cuts = Infinity
  const failed = await post(url, 'chat/completions', { messages: MESSAGES })
  expect([failed.status, failed.headers.get('x-should-retry')]).toEqual([502, 'false'])
})

test('the metrics count requests and tokens, and contain no peer id', async () => {
  const serving = await node(scripted())
  const { url } = await gateway([serving])
  await (await post(url, 'chat/completions', { messages: MESSAGES })).json()
  await post(url, 'chat/completions', { messages: MESSAGES, model: 'nobody/has:it' })
  const metrics = await vi.waitFor(async () => {
    const text = await (await fetch(`${url}/metrics`)).text()
    expect(text).toContain('potluck_gateway_requests_finished_total{endpoint="chat",outcome="model_not_found"} 1')
    return text
  })
  expect(metrics).toContain('potluck_gateway_requests_finished_total{endpoint="chat",outcome="done"} 1')
  expect(metrics).toContain(`potluck_gateway_generation_tokens_total ${ANSWER.length + 1}`)
  expect(metrics).toContain('potluck_gateway_time_to_first_token_seconds_count 1')
  expect(metrics).not.toContain(serving.peerId.toString())
  expect((await fetch(`${url}/healthz`)).status).toBe(200)
  expect((await fetch(`${url}/readyz`)).status).toBe(200)
})

test('an empty network: not ready, no models, and a 503 that allows a retry', async () => {
  const client = await createClient({ bootstrap: [], libp2p: await caller() })
  const { url } = await gateway([], { client })
  expect((await fetch(`${url}/readyz`)).status).toBe(503)
  expect(await (await fetch(`${url}/v1/models`)).json()).toEqual({ object: 'list', data: [] })
  const response = await post(url, 'chat/completions', { messages: MESSAGES })
  expect([response.status, response.headers.get('x-should-retry')]).toEqual([503, 'true'])
})
