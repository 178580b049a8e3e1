import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { GENERIC_CALLS } from '../../../node/engine/output/chat-format.ts'
import type { Parts } from '../../../node/engine/output/answer-parts.ts'
import { AnswerParser, type ParserOptions } from '../../../node/engine/output/parser.ts'

const THINK = { open: '<think>', close: '</think>' }
const BOTH: Omit<ParserOptions, 'callId'> = { calls: GENERIC_CALLS, reasoning: { ...THINK, begun: false } }
const BARE = { opening: '', closing: '', name: 'name', arguments: 'parameters' }
const call = (name: string, json: string): string => `{"name": "${name}", "arguments": ${json}}`

interface Parsed {
  text: string
  reasoning: string
  calls: { id: string; name: string; arguments: string }[]
  called: boolean
}

function parse(options: Omit<ParserOptions, 'callId'>, pieces: readonly string[]): Parsed {
  const parser = new AnswerParser({ ...options, callId: (index) => `id${index}` })
  const parsed: Parsed = { text: '', reasoning: '', calls: [], called: false }
  const take = ({ text, reasoning, calls }: Parts): void => {
    parsed.text += text
    parsed.reasoning += reasoning
    for (const { index, id, name, arguments: json } of calls) {
      // Each call reports its name once, before its arguments.
      expect(id === undefined).toBe(name === undefined)
      expect(index).toBe(id === undefined ? parsed.calls.length - 1 : parsed.calls.length)
      if (id !== undefined && name !== undefined) parsed.calls.push({ id, name, arguments: '' })
      parsed.calls[index]!.arguments += json
    }
  }
  for (const piece of pieces) take(parser.push(piece))
  parsed.called = parser.called
  take(parser.finish())
  return parsed
}

const cases: [string, Omit<ParserOptions, 'callId'>, string, Partial<Parsed>][] = [
  ['text', BOTH, 'a < b {"name": 1}', { text: 'a < b {"name": 1}' }],
  ['reasoning before text', BOTH, '<think>\nHm.\n</think>\n\nYes.', { reasoning: 'Hm.', text: 'Yes.' }],
  [
    'reasoning that begins in the prompt',
    { reasoning: { ...THINK, begun: true } },
    '\nHm.</think>Yes.',
    { reasoning: 'Hm.', text: 'Yes.' }
  ],
  ['incomplete reasoning', BOTH, '<think>Hm </thi', { reasoning: 'Hm </thi', text: '' }],
  ['a reasoning marker after text', BOTH, 'See <think>x</think>', { text: 'See <think>x</think>', reasoning: '' }],
  [
    'a call after text',
    BOTH,
    `Let me look.\n<tool_call>\n${call('find', '{"q": "a}\\"]", "n": [1, {}]}')}\n</tool_call>`,
    {
      text: 'Let me look.',
      calls: [{ id: 'id0', name: 'find', arguments: '{"q": "a}\\"]", "n": [1, {}]}' }],
      called: true
    }
  ],
  [
    'several calls',
    BOTH,
    `<tool_call>\n${call('a', '{}')}\n</tool_call>\n<tool_call>\n${call('b.c', '{"x":1}')}\n</tool_call>`,
    {
      text: '',
      calls: [
        { id: 'id0', name: 'a', arguments: '{}' },
        { id: 'id1', name: 'b.c', arguments: '{"x":1}' }
      ],
      called: true
    }
  ],
  [
    'a call within reasoning, which does not count',
    BOTH,
    '<think><tool_call></think>ok',
    { reasoning: '<tool_call>', text: 'ok', calls: [] }
  ],
  [
    'an incomplete call',
    BOTH,
    `<tool_call>${call('a', '{"x": "y').slice(0, -1)}`,
    { calls: [{ id: 'id0', name: 'a', arguments: '{"x": "y' }], called: false }
  ],
  ['only the marker of a call', BOTH, 'Hm <tool_call>{"na', { text: 'Hm', calls: [], called: false }],
  [
    'a call without a marker',
    { calls: BARE },
    '{"name": "a", "parameters": {"x": {}}}',
    { text: '', calls: [{ id: 'id0', name: 'a', arguments: '{"x": {}}' }], called: true }
  ],
  ['text that only begins like a call', { calls: BARE }, '{"nam": 1}', { text: '{"nam": 1}', calls: [] }],
  ['a document that begins like a call', { calls: BARE }, '{"name": 1}', { text: '{"name": 1}', calls: [] }],
  ['text before something like a call', { calls: BARE }, 'So: {"name": "a"', { text: 'So: {"name": "a"', calls: [] }],
  ['a marker without tools', { reasoning: { ...THINK, begun: false } }, '<tool_call>x', { text: '<tool_call>x' }]
]

describe('an answer is split', () => {
  test.each(cases)('%s', (_, options, text, expected) => {
    const whole = parse(options, [text])
    expect(whole).toMatchObject(expected)
    expect(parse(options, Array.from(text))).toEqual(whole)
  })

  test('in the same way for any pieces of its text', () => {
    const texts = fc.constantFrom(...cases)
    fc.assert(
      fc.property(texts, fc.array(fc.nat(6)), ([, options, text], lengths) => {
        const pieces: string[] = []
        let rest = text
        for (const length of lengths) {
          pieces.push(rest.slice(0, length))
          rest = rest.slice(length)
        }
        expect(parse(options, [...pieces, rest])).toEqual(parse(options, [text]))
      })
    )
  })
})
