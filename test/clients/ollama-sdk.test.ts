/** Ollama's client for JavaScript: models, chats, streams, tools, completions, options, embeddings, pulls, errors. */
import { Ollama, type Tool } from 'ollama'
import { expect, test } from 'vitest'

import { callText, clientNetwork, MODEL } from './network.ts'

const HELLO = { role: 'user', content: 'hello' }
const ASK = { model: MODEL, messages: [HELLO] }
const WEATHER: Tool = {
  type: 'function',
  function: {
    name: 'weather',
    description: 'The weather of a city',
    parameters: { type: 'object', properties: { city: { type: 'string', enum: ['Oslo', 'Rome'] } }, required: ['city'] }
  }
}

test('the client finds the server and its models', async () => {
  const { url } = await clientNetwork('ok')
  const ollama = new Ollama({ host: url })
  expect(await (await fetch(url)).text()).toBe('Ollama is running')
  expect((await fetch(url, { method: 'HEAD' })).status).toBe(200)
  expect((await ollama.version()).version).toMatch(/^\d+\.\d+\.\d+$/)
  const { models } = await ollama.list()
  expect(models.map(({ name }) => name)).toEqual(['auto', MODEL])
  const loaded = (await ollama.ps()).models
  expect(loaded).toMatchObject([
    { name: MODEL, digest: models[1]?.digest, details: { family: 'scripted', quantization_level: 'F32' } }
  ])
  const { capabilities, model_info } = await ollama.show({ model: MODEL })
  expect(capabilities).toEqual(['completion', 'tools', 'thinking', 'embedding'])
  expect(model_info).toMatchObject({ 'general.architecture': 'scripted', 'scripted.context_length': 200_000 })
})

test('a whole chat counts tokens and nanoseconds', async () => {
  const { url } = await clientNetwork('The sky is blue.')
  const answer = await new Ollama({ host: url }).chat(ASK)
  expect(answer).toMatchObject({
    model: MODEL,
    message: { role: 'assistant', content: 'The sky is blue.' },
    done: true,
    done_reason: 'stop',
    prompt_eval_count: 'hello'.length + 3,
    eval_count: 'The sky is blue.'.length + 1
  })
  expect(answer.total_duration).toBeGreaterThan(100_000)
  expect(new Date(answer.created_at).getTime()).toBeGreaterThan(Date.now() - 60_000)
})

test('a stream has the same text, and ends with the counts', async () => {
  const { url } = await clientNetwork('<think>Let me see.</think>The sky is blue.')
  let [text, thinking] = ['', '']
  const lines = []
  for await (const line of await new Ollama({ host: url }).chat({ ...ASK, stream: true, think: true })) {
    text += line.message.content
    thinking += line.message.thinking ?? ''
    lines.push(line)
  }
  expect([text, thinking]).toEqual(['The sky is blue.', 'Let me see.'])
  expect(lines.map(({ done }) => done)).toEqual([...lines.slice(1).map(() => false), true])
  expect(lines.at(-1)).toMatchObject({ done_reason: 'stop', eval_count: expect.any(Number) })
  const quiet = await new Ollama({ host: url }).chat({ ...ASK, think: false })
  expect(quiet.message).toEqual({ role: 'assistant', content: 'The sky is blue.' })
})

test('tool calls have objects as arguments, and their results go back to the model', async () => {
  const calls = [
    { name: 'weather', arguments: { city: 'Oslo' } },
    { name: 'weather', arguments: { city: 'Rome' } }
  ]
  const prompts: string[] = []
  const { url } = await clientNetwork((prompt) => {
    prompts.push(prompt)
    return prompt.includes('It rains') ? 'Take an umbrella.' : `I look.${callText(...calls)}`
  })
  const ollama = new Ollama({ host: url })
  const ask = { ...ASK, tools: [WEATHER] }
  const { message } = await ollama.chat(ask)
  const expected = calls.map((call) => ({ function: call }))
  expect(message.tool_calls).toMatchObject(expected)
  const streamed = []
  for await (const line of await ollama.chat({ ...ask, stream: true }))
    streamed.push(...(line.message.tool_calls ?? []))
  expect(streamed).toMatchObject(expected)
  // The client's own type of a call has no id.
  const bare = { ...message, tool_calls: (message.tool_calls ?? []).map((call) => ({ function: call.function })) }
  const results = ['It rains.', 'It is dry.'].map((content) => ({ role: 'tool', content, tool_name: 'weather' }))
  const final = await ollama.chat({ ...ask, messages: [HELLO, bare, ...results] })
  expect(final.message.content).toBe('Take an umbrella.')
  expect(prompts.at(-1)).toMatch(/Oslo.*Rome.*It rains\..*It is dry\./s)
})

test('generate uses the template, or continues a raw prompt', async () => {
  const prompts: string[] = []
  const { url } = await clientNetwork((prompt) => {
    prompts.push(prompt)
    return 'Blue.'
  })
  const ollama = new Ollama({ host: url })
  const { response } = await ollama.generate({ model: 'auto:latest', prompt: 'Colour?', system: 'Be brief.' })
  expect([response, prompts.at(-1)]).toEqual(['Blue.', 'Be brief.Colour?'])
  let streamed = ''
  for await (const line of await ollama.generate({ model: MODEL, prompt: 'The sky is', raw: true, stream: true })) {
    streamed += line.response
  }
  expect([streamed, prompts.at(-1)]).toEqual(['Blue.', 'The sky is'])
})

test('options: the limit, stop texts, seeds, log-probabilities', async () => {
  const { url } = await clientNetwork('one, two; three')
  const ollama = new Ollama({ host: url })
  const short = await ollama.chat({ ...ASK, options: { num_predict: 3, num_ctx: 4096, repeat_penalty: 1.1 } })
  expect([short.message.content, short.done_reason]).toEqual(['one', 'length'])
  const stopped = await ollama.chat({ ...ASK, options: { stop: [';'], seed: -1, top_k: 100 }, keep_alive: '5m' })
  expect([stopped.message.content, stopped.done_reason]).toEqual(['one, two', 'stop'])
  const { logprobs } = await ollama.chat({ ...ASK, logprobs: true, top_logprobs: 2 })
  expect(logprobs?.map(({ token }) => token).join('')).toBe('one, two; three')
  expect(logprobs?.every(({ top_logprobs }) => top_logprobs?.length === 2)).toBe(true)
})

test('without a limit, an answer can fill half of the context', async () => {
  const { url } = await clientNetwork('x'.repeat(3000), { engine: { contextLength: 4096 } })
  const { eval_count, done_reason } = await new Ollama({ host: url }).chat(ASK)
  expect([eval_count, done_reason]).toEqual([2048, 'length'])
})

test('structured output follows a schema, or is any object', async () => {
  const { url } = await clientNetwork('{"legs": 4}')
  const ollama = new Ollama({ host: url })
  const schema = { type: 'object', properties: { legs: { type: 'integer' } }, required: ['legs'] }
  for (const format of [schema, 'json']) {
    expect(JSON.parse((await ollama.chat({ ...ASK, format })).message.content)).toEqual({ legs: 4 })
  }
})

test('embeddings, in both forms', async () => {
  const { url } = await clientNetwork('ok')
  const ollama = new Ollama({ host: url })
  const { embeddings, prompt_eval_count } = await ollama.embed({ model: MODEL, input: ['a fox', 'an owl'] })
  expect(prompt_eval_count).toBeGreaterThan(1)
  const { embedding } = await ollama.embeddings({ model: MODEL, prompt: 'an owl' })
  expect(embedding).toEqual(embeddings[1])
})

test('a model that nodes serve needs no download, and nothing changes the models', async () => {
  const { url } = await clientNetwork('ok')
  const ollama = new Ollama({ host: url })
  const lines = []
  for await (const line of await ollama.pull({ model: MODEL, stream: true })) lines.push(line.status)
  expect(lines.at(-1)).toBe('success')
  expect(await ollama.pull({ model: MODEL })).toEqual({ status: 'success' })
  expect(await ollama.chat({ model: MODEL })).toMatchObject({ done_reason: 'load', done: true })
  await expect(ollama.pull({ model: 'llama3' })).rejects.toThrow(`nodes serve ${MODEL}`)
  for (const change of [
    async () => await ollama.delete({ model: MODEL }),
    async () => await ollama.copy({ source: MODEL, destination: 'mine' }),
    async () => await ollama.create({ model: 'mine', from: MODEL }),
    async () => await ollama.push({ model: MODEL })
  ]) {
    await expect(change()).rejects.toThrow('the models belong to the nodes')
  }
})

test('errors have the form of the API, with or without a content type', async () => {
  const { url } = await clientNetwork('ok', { keys: ['secret'] })
  const ollama = new Ollama({ host: url, headers: { authorization: 'Bearer secret' } })
  await expect(new Ollama({ host: url }).list()).rejects.toThrow('The API key is missing')
  await expect(ollama.chat({ ...ASK, model: 'llama3' })).rejects.toMatchObject({ status_code: 404 })
  const image = { role: 'user', content: 'look', images: ['AA=='] }
  await expect(ollama.chat({ model: MODEL, messages: [image] })).rejects.toThrow('images are not supported')
  const lost = { role: 'tool', content: 'rain', tool_name: 'weather' }
  await expect(ollama.chat({ model: MODEL, messages: [HELLO, lost] })).rejects.toThrow('no call before it')
  // curl sends this content type, and the examples of Ollama's documentation do not change it.
  const headers = { authorization: 'Bearer secret', 'content-type': 'application/x-www-form-urlencoded' }
  const answer = await fetch(`${url}/api/chat`, {
    method: 'POST',
    headers,
    body: JSON.stringify({ ...ASK, stream: false })
  })
  expect(answer.status).toBe(200)
})

test('a failure in the middle of a stream is its last line', async () => {
  let crash = false
  const { url } = await clientNetwork('The quick brown fox.', {
    engine: { before: ({ position }) => (crash && position === 5 ? 'cut' : undefined) }
  })
  crash = true
  const read = async (): Promise<void> => {
    for await (const _ of await new Ollama({ host: url }).chat({ ...ASK, stream: true }));
  }
  await expect(read()).rejects.toThrow('Every node that was asked failed')
})
