/** Tests the fields of requests: the gateway honours each field, or refuses it with a 400 that names the field. */
import { expect, test } from 'vitest'

import { ApiError } from '../../../client/gateway/errors.ts'
import { chatOptions, parseChat } from '../../../client/gateway/openai/chat-request.ts'
import { completionOptions, parseCompletion, prompts } from '../../../client/gateway/openai/completion-request.ts'
import { parseEmbeddings } from '../../../client/gateway/openai/embeddings.ts'
import { parseResponses, responsesOptions } from '../../../client/gateway/openai/responses-request.ts'
import { seeds } from '../../../client/gateway/openai/sampling.ts'

const messages = [{ role: 'user', content: 'hello' }]
const tool = { type: 'function', function: { name: 'add', parameters: { type: 'object' } } }

function refusal(parse: () => unknown): { param: string | null; message: string; code: string | null } {
  try {
    parse()
  } catch (error) {
    if (error instanceof ApiError && error.status === 400) return error.body.error
    throw error
  }
  throw new Error('nothing was refused')
}

test("OpenAI's defaults sample from the model's own distribution", () => {
  expect(chatOptions(parseChat({ messages }))).toEqual({
    model: 'auto',
    messages,
    temperature: 1,
    topP: 1,
    topK: 0,
    minP: 0,
    stop: []
  })
})

test('every supported field becomes an option; null counts as absent, and unknown fields are ignored', () => {
  const request = parseChat({
    model: 'a/b:Q4_0',
    messages,
    temperature: 0.5,
    top_p: 0.9,
    top_k: -1,
    min_p: 0.1,
    presence_penalty: 1,
    frequency_penalty: -1,
    logit_bias: { '7': -100 },
    max_completion_tokens: 5,
    stop: 'end',
    logprobs: true,
    top_logprobs: 2,
    response_format: { type: 'json_object' },
    tools: [tool],
    tool_choice: { type: 'function', function: { name: 'add' } },
    parallel_tool_calls: false,
    reasoning_effort: null,
    user: 'user-1',
    metadata: { tag: 'value' },
    keep_alive: '5m'
  })
  expect(chatOptions(request)).toEqual({
    model: 'a/b:Q4_0',
    messages,
    temperature: 0.5,
    topP: 0.9,
    topK: 0,
    minP: 0.1,
    presencePenalty: 1,
    frequencyPenalty: -1,
    logitBias: new Map([[7, -100]]),
    maxTokens: 5,
    stop: ['end'],
    topLogprobs: 2,
    responseFormat: { type: 'json_object' },
    tools: [{ name: 'add', parameters: { type: 'object' } }],
    toolChoice: { name: 'add' },
    parallelToolCalls: false
  })
})

test('messages: parts are joined, the role developer becomes system, tool calls and results keep their ids', () => {
  const parts = [
    { type: 'text', text: 'one' },
    { type: 'text', text: 'two' }
  ]
  const call = { id: 'call_1', type: 'function', function: { name: 'add', arguments: '{}' } }
  const request = parseChat({
    messages: [
      { role: 'developer', content: 'be brief' },
      { role: 'user', content: parts },
      { role: 'assistant', content: null, tool_calls: [call] },
      { role: 'tool', tool_call_id: 'call_1', content: '3' }
    ]
  })
  expect(chatOptions(request).messages).toEqual([
    { role: 'system', content: 'be brief' },
    { role: 'user', content: 'one\ntwo' },
    { role: 'assistant', content: '', toolCalls: [{ id: 'call_1', name: 'add', arguments: '{}' }] },
    { role: 'tool', content: '3', toolCallId: 'call_1' }
  ])
})

test.each([
  [{}, 'messages', ''],
  [{ messages: [] }, 'messages', ''],
  [{ messages: [{ role: 'user' }] }, 'messages[0].content', ''],
  [
    { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: {} }] }] },
    'messages[0].content[0].type',
    'only text'
  ],
  [{ messages: [{ role: 'user', content: 'x', name: 'Ann' }] }, 'messages[0].name', 'write them into the content'],
  [{ messages, temperature: 'hot' }, 'temperature', 'expected number'],
  [{ messages, top_p: 2 }, 'top_p', '<=1'],
  [{ messages, top_k: 65 }, 'top_k', '<=64'],
  [{ messages, seed: 1.5 }, 'seed', ''],
  [{ messages, max_tokens: 0 }, 'max_tokens', '>=1'],
  [{ messages, max_tokens: 1, max_completion_tokens: 2 }, 'max_tokens', 'differs'],
  [{ messages, stop: ['a', ''] }, 'stop[1]', ''],
  [{ messages, logit_bias: { the: 1 } }, 'logit_bias', 'token ids'],
  [{ messages, top_logprobs: 2 }, 'top_logprobs', 'logprobs'],
  [{ messages, stream_options: { include_usage: true } }, 'stream_options', 'stream'],
  [{ messages, tools: [{ type: 'custom', custom: {} }] }, 'tools[0].type', ''],
  [{ messages, tool_choice: 'required' }, 'tool_choice', 'needs tools'],
  [{ messages, tools: [tool], tool_choice: { type: 'function', function: { name: 'sub' } } }, 'tool_choice', 'no tool'],
  [{ messages, response_format: { type: 'xml' } }, 'response_format.type', ''],
  [{ messages, response_format: { type: 'json_schema' } }, 'response_format.json_schema', ''],
  [{ messages, functions: [] }, 'functions', "use 'tools'"],
  [{ messages, modalities: ['text', 'audio'] }, 'modalities', 'text'],
  [{ messages, reasoning_effort: 'high' }, 'reasoning_effort', 'how long a model reasons'],
  [{ messages, store: true }, 'store', 'stores nothing'],
  [{ messages, service_tier: 'priority' }, 'service_tier', 'one tier']
])('a chat with %j is refused because of the field %s', (body, param, words) => {
  const found = refusal(() => chatOptions(parseChat(body)))
  expect(found.param).toBe(param)
  expect(found.message).toContain(words)
})

test('text completions: several prompts, and the fields that are refused', () => {
  const request = parseCompletion({ prompt: ['a', 'b'], logprobs: 2, n: 2, best_of: 2 })
  expect(prompts(request)).toEqual(['a', 'b'])
  expect(completionOptions(request, 'a')).toMatchObject({ prompt: 'a', maxTokens: 16, topLogprobs: 2, temperature: 1 })
  expect(refusal(() => parseCompletion({ prompt: [1, 2] })).param).toBe('prompt[0]')
  expect(refusal(() => parseCompletion({ prompt: 'a', best_of: 3 })).param).toBe('best_of')
  expect(refusal(() => parseCompletion({ prompt: 'a', suffix: 'z' })).param).toBe('suffix')
  expect(refusal(() => parseCompletion({ prompt: 'a', echo: true, logprobs: 1 })).param).toBe('echo')
})

test('embeddings: one text, but not an empty list', () => {
  expect(parseEmbeddings({ input: 'a' }).input).toBe('a')
  expect(refusal(() => parseEmbeddings({ input: [] })).param).toBe('input')
  expect(refusal(() => parseEmbeddings({ input: 'a', dimensions: 8 })).param).toBe('dimensions')
})

test('responses: items become messages, and fields that need stored state are refused', () => {
  const request = parseResponses({
    instructions: 'be brief',
    input: [
      { role: 'user', content: [{ type: 'input_text', text: 'add' }] },
      { type: 'reasoning', id: 'rs_1', summary: [] },
      { type: 'function_call', call_id: 'call_1', name: 'add', arguments: '{}' },
      { type: 'function_call', call_id: 'call_2', name: 'add', arguments: '{}' },
      { type: 'function_call_output', call_id: 'call_1', output: '3' }
    ],
    max_output_tokens: 9,
    text: { format: { type: 'json_object' } },
    tools: [{ type: 'function', name: 'add', parameters: { type: 'object' }, strict: false }],
    tool_choice: { type: 'function', name: 'add' }
  })
  expect(responsesOptions(request)).toMatchObject({
    messages: [
      { role: 'system', content: 'be brief' },
      { role: 'user', content: 'add' },
      { role: 'assistant', content: '', toolCalls: [{ id: 'call_1' }, { id: 'call_2' }] },
      { role: 'tool', content: '3', toolCallId: 'call_1' }
    ],
    maxTokens: 9,
    responseFormat: { type: 'json_object' },
    tools: [{ name: 'add', strict: false }],
    toolChoice: { name: 'add' }
  })
  for (const [name, value] of Object.entries({
    previous_response_id: 'resp_1',
    background: true,
    truncation: 'auto',
    store: true,
    reasoning: { effort: 'high' }
  })) {
    expect(refusal(() => parseResponses({ input: 'x', [name]: value })).param).toBe(name)
  }
  expect(refusal(() => parseResponses({ input: 'x', tools: [{ type: 'web_search' }] })).param).toBe('tools[0].type')
})

test('seeds: the first is the given seed, all differ, and each has 64 bits', () => {
  const [first, ...others] = seeds(-1, 4)
  expect(first).toBe(2n ** 64n - 1n)
  expect(new Set([first, ...others]).size).toBe(4)
  expect(seeds(-1, 4)).toEqual([first, ...others])
})
