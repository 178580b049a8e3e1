/**
 * LangChain for JavaScript with its classes for OpenAI: chats, streams, tools, structured output, embeddings, errors.
 */
import { tool } from '@langchain/core/tools'
import { ChatOpenAI, OpenAIEmbeddings, type ChatOpenAIFields } from '@langchain/openai'
import { expect, test } from 'vitest'
import { z } from 'zod'

import { crumbNetwork, MODEL, POLL, PROMPT, workOf } from './crumb-network.ts'

const network = crumbNetwork()

const chat = (fields: ChatOpenAIFields = {}): ChatOpenAI =>
  new ChatOpenAI({
    model: MODEL,
    apiKey: 'any',
    temperature: 0,
    maxTokens: 12,
    maxRetries: 0,
    configuration: { baseURL: network.baseURL },
    ...fields
  })

const weather = tool(() => 'sunny', {
  name: 'weather',
  description: 'The weather of a city',
  schema: z.object({ city: z.enum(['Oslo', 'Rome']) })
})

/** Accepts `unknown`, because LangChain's type does not fit this project's compiler options. */
function outputTokens({ usage_metadata }: { usage_metadata?: unknown }): number | undefined {
  return (usage_metadata as { output_tokens: number } | undefined)?.output_tokens
}

test('a chat completion with usage, whole and streamed', async () => {
  const whole = await chat().invoke(PROMPT)
  expect(whole.text).toMatch(/\w/)
  expect(outputTokens(whole)).toBe(12)
  let streamed = ''
  let tokens = 0
  for await (const chunk of await chat({ streamUsage: true }).stream(PROMPT)) {
    streamed += chunk.text
    tokens += outputTokens(chunk) ?? 0
  }
  expect([streamed, tokens]).toEqual([whole.text, 12])
})

test('tool calls, required and named', async () => {
  for (const tool_choice of ['required', 'weather']) {
    const { tool_calls } = await chat({ maxTokens: 200 }).bindTools([weather], { tool_choice }).invoke(PROMPT)
    expect(tool_calls).toMatchObject([{ name: 'weather', args: { city: expect.stringMatching(/Oslo|Rome/) } }])
  }
})

test('structured output by a schema and by a tool', async () => {
  const schema = z.object({ name: z.enum(['fox', 'owl']), legs: z.number().int().min(0).max(8) })
  for (const method of ['jsonSchema', 'functionCalling'] as const) {
    const model = chat({ maxTokens: 200 }).withStructuredOutput(schema, { name: 'animal', method })
    schema.parse(await model.invoke(PROMPT))
  }
})

test('log-probabilities', async () => {
  const answer = await chat({ logprobs: true, topLogprobs: 2 }).invoke(PROMPT)
  const { content } = answer.response_metadata.logprobs as { content: { top_logprobs: unknown[] }[] }
  for (const { top_logprobs } of content) expect(top_logprobs).toHaveLength(2)
})

test('embeddings', async () => {
  const model = new OpenAIEmbeddings({
    model: MODEL,
    apiKey: 'any',
    maxRetries: 0,
    configuration: { baseURL: network.baseURL }
  })
  const vectors = await model.embedDocuments(['a fox', 'an owl'])
  expect(vectors).toHaveLength(2)
  for (const vector of vectors) expect(vector.reduce((sum, value) => sum + value * value, 0)).toBeCloseTo(1, 3)
})

test('cancelling a stream frees the slot', async () => {
  const { aborted } = await workOf(network)
  const disconnect = new AbortController()
  const reading = (async () => {
    const endless = chat({ maxTokens: 900, modelKwargs: network.endless })
    for await (const chunk of await endless.stream(PROMPT, { signal: disconnect.signal })) {
      if (chunk.text !== '') disconnect.abort()
    }
  })()
  await expect(reading).rejects.toThrow('bort')
  await expect.poll(async () => await workOf(network), POLL).toEqual({ active: 0, aborted: aborted + 1 })
})

test('errors keep their status', async () => {
  const error = await chat({ model: 'nobody/has:it' })
    .invoke(PROMPT)
    .catch((cause: unknown) => cause)
  expect(error).toMatchObject({ status: 404 })
})
