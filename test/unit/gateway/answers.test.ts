/** Tests how the gateway formats what crumb never generates: reasoning, and several tool calls. */
import { Answer, type AnswerMetadata, type AnswerPart, type DeltaPart, type FinishPart } from '@potluck/client'
import type OpenAI from 'openai'
import { expect, test } from 'vitest'

import type { AnswerEvents, WholeAnswer } from '../../../client/gateway/answers/respond.ts'
import { chatCompletion, ChatChunks } from '../../../client/gateway/openai/chat-answer.ts'
import { wholeResponse } from '../../../client/gateway/openai/responses-answer.ts'
import { ResponseEvents } from '../../../client/gateway/openai/responses-events.ts'
import { parseResponses } from '../../../client/gateway/openai/responses-request.ts'

const audits = (): null => null
const model = { digest: `sha256:${'a'.repeat(64)}`, name: 'a/b:Q4_0' }
const metadata = { peerId: 'peer', model, relayed: true, ttftMs: 1, tokensPerSecond: 2, failures: [], seed: 3n }
const accepted = {
  type: 'accepted',
  peerId: 'peer',
  model,
  promptTokens: 4,
  prompt: [1, 2, 3, 4],
  queuePosition: 0,
  estimatedWaitMs: 0
} as const

const DELTAS: Partial<DeltaPart>[] = [
  { reasoning: 'Let me ' },
  { reasoning: 'see.' },
  { text: 'I ask.' },
  { toolCalls: [{ index: 0, id: 'call_1', name: 'add', arguments: '' }] },
  { toolCalls: [{ index: 0, arguments: '{"a":' }] },
  {
    toolCalls: [
      { index: 0, arguments: '1}' },
      { index: 1, id: 'call_2', name: 'sub', arguments: '{}' }
    ]
  }
]
const deltas = DELTAS.map((delta): DeltaPart => ({ type: 'delta', text: '', tokens: [1], ...delta }))
const finish: FinishPart = {
  type: 'finish',
  finishReason: 'tool_calls',
  usage: { promptTokens: 4, cachedTokens: 1, completionTokens: 6 },
  metadata: metadata as unknown as AnswerMetadata
}

function all(events: AnswerEvents): object[] {
  const sent = [
    ...events.begin(0, accepted),
    ...deltas.flatMap((delta) => events.delta(0, delta)),
    ...events.finish(0, finish),
    ...events.end()
  ]
  return sent.flatMap(({ data }) => (typeof data === 'string' ? [] : [data]))
}

async function whole(): Promise<WholeAnswer> {
  async function* parts(): AsyncGenerator<AnswerPart, void, void> {
    yield* [accepted, ...deltas, finish]
  }
  const answer = new Answer(parts, new AbortController().signal)
  return { ...(await answer.result()), reasoningTokens: 2 }
}

test('a chat completion separates reasoning and tool calls from the content', async () => {
  const answer = chatCompletion([await whole()], {
    id: 'chatcmpl-1',
    model: 'auto',
    created: 1,
    logprobs: false,
    stops: [],
    audits
  })
  expect(answer satisfies OpenAI.ChatCompletion).toMatchObject({
    model: model.name,
    choices: [
      {
        message: {
          content: 'I ask.',
          reasoning_content: 'Let me see.',
          tool_calls: [
            { id: 'call_1', type: 'function', function: { name: 'add', arguments: '{"a":1}' } },
            { id: 'call_2', type: 'function', function: { name: 'sub', arguments: '{}' } }
          ]
        },
        finish_reason: 'tool_calls'
      }
    ],
    usage: { potluck: { route: 'relayed', seed: '3' } }
  })
})

test('the first chunk of a tool call has its name, and later chunks have more arguments', () => {
  const chunks = all(
    new ChatChunks({
      id: 'chatcmpl-1',
      model: 'auto',
      created: 1,
      logprobs: false,
      stops: [],
      audits,
      usage: false,
      continuous: false
    })
  )
  const sent = chunks.flatMap((chunk) => (chunk as OpenAI.ChatCompletionChunk).choices.map(({ delta }) => delta))
  expect(sent.slice(1)).toEqual([
    { reasoning_content: 'Let me ' },
    { reasoning_content: 'see.' },
    { content: 'I ask.' },
    { tool_calls: [{ index: 0, id: 'call_1', type: 'function', function: { name: 'add', arguments: '' } }] },
    { tool_calls: [{ index: 0, function: { arguments: '{"a":' } }] },
    {
      tool_calls: [
        { index: 0, function: { arguments: '1}' } },
        { index: 1, id: 'call_2', type: 'function', function: { name: 'sub', arguments: '{}' } }
      ]
    },
    {}
  ])
})

test('a streamed response finishes each item before the next, and ends with the same response as a whole one', async () => {
  const request = parseResponses({ input: 'hello' })
  const events = all(
    new ResponseEvents(request, { id: 'resp_1', now: () => 1, audits })
  ) as OpenAI.Responses.ResponseStreamEvent[]
  expect(events.map(({ sequence_number }) => sequence_number)).toEqual([...events.keys()])
  const items = events.filter(({ type }) => type.startsWith('response.output_item'))
  expect(
    items.map((event) => [event.type.slice('response.output_item.'.length), 'item' in event && event.item.type])
  ).toEqual(
    ['reasoning', 'message', 'function_call', 'function_call'].flatMap((type) => [
      ['added', type],
      ['done', type]
    ])
  )
  const last = events.at(-1)
  if (last?.type !== 'response.completed') throw new Error('not completed')
  const ids = (value: object): unknown => JSON.parse(JSON.stringify(value).replaceAll(/"(rs|msg|fc|resp)_\w+"/g, '""'))
  expect(ids(last.response)).toEqual(ids(wholeResponse(await whole(), request, { id: 'resp_1', now: () => 1, audits })))
  expect(last.response.output).toMatchObject([
    { content: [{ text: 'Let me see.' }] },
    { content: [{ text: 'I ask.' }] },
    { call_id: 'call_1', arguments: '{"a":1}' },
    { call_id: 'call_2', arguments: '{}' }
  ])
  expect(last.response.usage).toMatchObject({ input_tokens: 4, output_tokens_details: { reasoning_tokens: 2 } })
})
