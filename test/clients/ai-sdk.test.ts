/**
 * Vercel's AI SDK with its provider for servers with OpenAI's API: texts, streams, tools, structured output,
 * embeddings, errors.
 */
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { APICallError, embedMany, generateText, Output, streamText, tool, type ToolSet } from 'ai'
import { expect, test } from 'vitest'
import { z } from 'zod'

import { crumbNetwork, MODEL, POLL, PROMPT, workOf } from './crumb-network.ts'

const network = crumbNetwork()

const provider = (): ReturnType<typeof createOpenAICompatible> =>
  createOpenAICompatible({
    name: 'potluck',
    baseURL: network.baseURL,
    apiKey: 'any',
    includeUsage: true,
    supportsStructuredOutputs: true
  })

const short = { prompt: PROMPT, temperature: 0, maxOutputTokens: 12, maxRetries: 0 }

// The SDK's type is not compatible with `exactOptionalPropertyTypes`.
const weather = tool({
  description: 'The weather of a city',
  inputSchema: z.object({ city: z.enum(['Oslo', 'Rome']) })
}) as ToolSet[string]

test('a whole chat completion', async () => {
  const { text, usage, finishReason } = await generateText({ ...short, model: provider()(MODEL) })
  expect(text).toMatch(/\w/)
  expect([usage.outputTokens, finishReason]).toEqual([12, 'length'])
})

test('a stream with usage', async () => {
  const { text } = await generateText({ ...short, model: provider()(MODEL) })
  const stream = streamText({ ...short, model: provider()(MODEL) })
  let streamed = ''
  for await (const delta of stream.textStream) streamed += delta
  expect(streamed).toBe(text)
  expect((await stream.usage).outputTokens).toBe(12)
})

test('tool calls: required and named, whole and streamed', async () => {
  const ask = { ...short, maxOutputTokens: 200, tools: { weather } }
  const { toolCalls } = await generateText({ ...ask, model: provider()(MODEL), toolChoice: 'required' })
  expect(toolCalls).toMatchObject([{ toolName: 'weather', input: { city: expect.stringMatching(/Oslo|Rome/) } }])
  const named = { type: 'tool', toolName: 'weather' } as const
  const stream = streamText({ ...ask, model: provider()(MODEL), toolChoice: named })
  const deltas: string[] = []
  for await (const part of stream.stream) if (part.type === 'tool-input-delta') deltas.push(part.delta)
  const [call] = await stream.toolCalls
  expect(JSON.parse(deltas.join(''))).toEqual(call?.input)
})

test('structured output', async () => {
  const schema = z.object({ name: z.enum(['fox', 'owl']), legs: z.number().int().min(0).max(8) })
  const { output } = await generateText({
    ...short,
    maxOutputTokens: 200,
    model: provider()(MODEL),
    output: Output.object({ schema })
  })
  schema.parse(output)
})

test('embeddings', async () => {
  const { embeddings, usage } = await embedMany({
    model: provider().embeddingModel(MODEL),
    values: ['a fox', 'an owl'],
    maxRetries: 0
  })
  expect(usage.tokens).toBeGreaterThan(1)
  for (const vector of embeddings) expect(vector.reduce((sum, value) => sum + value * value, 0)).toBeCloseTo(1, 3)
})

test('cancelling a stream frees the slot', async () => {
  const { aborted } = await workOf(network)
  const disconnect = new AbortController()
  const stream = streamText({
    ...short,
    maxOutputTokens: 900,
    model: provider()(MODEL),
    providerOptions: { potluck: network.endless },
    abortSignal: disconnect.signal
  })
  for await (const part of stream.stream) if (part.type === 'text-delta') disconnect.abort()
  await expect.poll(async () => await workOf(network), POLL).toEqual({ active: 0, aborted: aborted + 1 })
})

test('errors say whether a retry can help', async () => {
  const error = await generateText({ ...short, model: provider()('nobody/has:it') }).catch((cause: unknown) => cause)
  expect(APICallError.isInstance(error)).toBe(true)
  expect(error).toMatchObject({ statusCode: 404, isRetryable: false })
  expect(String(error)).toContain(MODEL)
})
