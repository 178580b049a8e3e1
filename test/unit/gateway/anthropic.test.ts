/** Tests how the gateway reads what SDKs send only in long conversations of agents: deferred tools, system messages. */
import { PotluckError } from '@potluck/protocol'
import { expect, test } from 'vitest'

import { AnswerEnd } from '../../../client/gateway/answers/stop-sequence.ts'
import { messagesOptions, parseMessages } from '../../../client/gateway/anthropic/messages-request.ts'
import { anthropicError } from '../../../client/gateway/anthropic/errors.ts'
import { toApiError } from '../../../client/gateway/failure.ts'
import type { ChatOptions } from '@potluck/client'

const HELLO = { role: 'user', content: 'hello' }
const tool = (name: string, more: object = {}): object => ({ name, input_schema: { type: 'object' }, ...more })

function options(body: object, betas = true): ChatOptions {
  return messagesOptions(parseMessages({ model: 'auto', max_tokens: 100, messages: [HELLO], ...body }, betas))
}

test('the model sees a deferred tool after the conversation made it available', () => {
  const tools = [tool('search'), tool('read', { defer_loading: true }), tool('write', { defer_loading: true })]
  const names = (...messages: object[]): string[] | undefined =>
    options({ tools, messages: [HELLO, ...messages, HELLO] }).tools?.map(({ name }) => name)
  const called = { role: 'assistant', content: [{ type: 'tool_use', id: 'call', name: 'search', input: {} }] }
  const found = [{ type: 'tool_reference', tool_name: 'read' }]
  const result = { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'call', content: found }] }
  const change = (type: string, of: object): object => ({ role: 'system', content: [{ type, tool: of }] })
  const reference = (name: string): object => ({ type: 'tool_reference', name })
  expect(names()).toEqual(['search'])
  expect(names(called, result)).toEqual(['search', 'read'])
  expect(names(change('tool_addition', reference('write')), change('tool_removal', reference('search')))).toEqual([
    'write'
  ])
  const definition = { type: 'tool_definition', definition: tool('new') }
  expect(names(change('tool_addition', definition))).toEqual(['search', 'new'])
})

test('instructions of the system come first, and those inside the conversation join the message of the user', () => {
  const { messages } = options({
    system: [{ type: 'text', text: 'One.' }],
    messages: [
      { role: 'system', content: 'Two.' },
      HELLO,
      { role: 'system', content: [{ type: 'text', text: 'Three.' }] },
      { role: 'assistant', content: 'Hi.' },
      { role: 'assistant', content: [{ type: 'tool_use', id: 'call', name: 'x', input: { a: 1 } }] },
      { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'call' }] }
    ]
  })
  expect(messages).toEqual([
    { role: 'system', content: 'One.\nTwo.' },
    { role: 'user', content: 'hello\nThree.' },
    { role: 'assistant', content: 'Hi.', toolCalls: [{ id: 'call', name: 'x', arguments: '{"a":1}' }] },
    { role: 'tool', content: '', toolCallId: 'call' }
  ])
})

test('only names of Anthropic mean auto', () => {
  for (const [asked, model] of [
    ['claude-sonnet-4-5-20250929', 'auto'],
    ['Claude-x', 'auto'],
    ['claudette/model:Q4_0', 'claudette/model:Q4_0'],
    ['me/claude:Q4_0', 'me/claude:Q4_0']
  ]) {
    expect(options({ model: asked }).model).toBe(model)
  }
})

test('an unknown field has no effect if the request names betas, and is refused otherwise', () => {
  expect(options({ new_in_a_beta: 1 }, true).model).toBe('auto')
  expect(() => options({ new_in_a_beta: 1 }, false)).toThrow('new_in_a_beta: Extra inputs are not permitted')
  expect(options({ metadata: { user_id: 'me' }, service_tier: 'auto' }, false).model).toBe('auto')
})

test('a stop sequence counts only if it ends within the last token', () => {
  const matched = (tokens: string[], stops: string[]): string | undefined => {
    const end = new AnswerEnd()
    for (const token of tokens) {
      end.add([{ chosen: { token: 1, logprob: 0, bytes: new TextEncoder().encode(token) }, top: [] }])
    }
    return end.matched(stops)
  }
  expect(matched(['a', 'b;', ' c'], [';'])).toBeUndefined()
  expect(matched(['a', 'b', 'EN', 'D.'], ['x', 'END'])).toBe('END')
  // The token that ends a turn has no bytes.
  expect(matched(['a', 'END', ''], ['END'])).toBeUndefined()
  expect(matched(['é'.repeat(3000), 'é'], ['éé'])).toBe('éé')
})

test.each([
  ['busy', 429, 'rate_limit_error'],
  ['no_providers', 503, 'overloaded_error'],
  ['engine_failed', 502, 'api_error'],
  ['context_length_exceeded', 400, 'invalid_request_error'],
  ['model_not_found', 404, 'not_found_error'],
  ['caller_stalled', 408, 'timeout_error']
] as const)('%s is an error of the type that its status %d has', (code, status, type) => {
  const error = toApiError(new PotluckError(code, 'why'))
  expect([error.status, anthropicError(error, 'id')]).toMatchObject([status, { error: { type }, request_id: 'id' }])
})
