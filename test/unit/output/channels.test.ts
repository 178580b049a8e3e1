/** Answers in channels, as gpt-oss writes them. */
import type { OutputConstraint } from '@potluck/protocol'
import { describe, expect, test } from 'vitest'

import { GENERIC_CALLS } from '../../../node/engine/output/chat-format.ts'
import { ConstraintCompiler } from '../../../node/engine/output/compiler.ts'
import { vocabulary } from '../../scripted-engine/model.ts'

const compiler = new ConstraintCompiler(vocabulary, { calls: GENERIC_CALLS, channels: true })
const CHAT: OutputConstraint = { chat: true }
const FIND = {
  name: 'find',
  parameters: { type: 'object', properties: { what: { type: 'string' } }, required: ['what'] }
}
const TOOLS: OutputConstraint = { chat: true, tools: [FIND] }
const REQUIRED: OutputConstraint = { ...TOOLS, toolChoice: 'required' }
const DOCUMENT: OutputConstraint = {
  chat: true,
  responseFormat: {
    type: 'json_schema',
    schema: { type: 'object', properties: { a: { type: 'integer' } }, required: ['a'] }
  }
}

const THOUGHT = '<|channel|>analysis<|message|>I call to=functions.find?<|end|><|start|>assistant'
const FINAL = '<|channel|>final<|message|>'
const CALL = '<|channel|>commentary to=functions.find <|constrain|>json<|message|>{"what": "a fox"}'

interface Read {
  text: string
  reasoning: string
  calls: [string | undefined, string][]
  called: boolean
  allowed: boolean
}

function read(constraint: OutputConstraint, pieces: readonly string[]): Read {
  const parser = compiler.parser(constraint, { promptTokens: [1], seed: 1n })!
  const grammar = compiler.grammar(constraint)
  const result: Read = { text: '', reasoning: '', calls: [], called: false, allowed: true }
  for (const part of [...pieces.map((piece) => parser.push(piece)), parser.finish()]) {
    result.text += part.text
    result.reasoning += part.reasoning
    for (const { index, name, arguments: json } of part.calls) {
      const call = (result.calls[index] ??= [name, ''])
      call[1] += json
    }
  }
  for (const byte of Buffer.from(pieces.join(''))) grammar?.accept(byte)
  return { ...result, called: parser.called, allowed: grammar?.failed !== true }
}

const CASES: Readonly<Record<string, [OutputConstraint, string, Partial<Read>]>> = {
  'an answer after reasoning': [
    CHAT,
    `${THOUGHT}${FINAL}It is <b>.`,
    { text: 'It is <b>.', reasoning: 'I call to=functions.find?' }
  ],
  'an answer that could call a tool': [TOOLS, `${THOUGHT}${FINAL}No.`, { text: 'No.' }],
  'a call after reasoning': [TOOLS, `${THOUGHT}${CALL}`, { calls: [['find', '{"what": "a fox"}']], called: true }],
  'a call in the form of the template': [
    REQUIRED,
    ' to=functions.find<|channel|>commentary json<|message|>{"what": ""}',
    { calls: [['find', '{"what": ""}']], called: true }
  ],
  'words before a call': [
    TOOLS,
    `<|channel|>commentary<|message|>I look.<|end|><|start|>assistant${CALL}`,
    { text: 'I look.', called: true }
  ],
  'a call that was not asked for is no text': [CHAT, CALL, { text: '', calls: [] }],
  'several messages of one kind': [
    TOOLS,
    `${THOUGHT}<|channel|>analysis<|message|>Yes.<|end|><|start|>assistant${FINAL}So.`,
    { text: 'So.', reasoning: 'I call to=functions.find?\n\nYes.' }
  ],
  'a document': [DOCUMENT, `${THOUGHT}${FINAL}{"a": 1}`, { text: '{"a": 1}' }],
  'an answer without a header': [CHAT, 'The sky is blue.', { text: 'The sky is blue.' }],
  'a call that is cut off': [TOOLS, CALL.slice(0, -3), { calls: [['find', '{"what": "a fo']], called: false }]
}

describe.each(Object.entries(CASES))('%s', (_name, [constraint, answer, expected]) => {
  const whole = read(constraint, [answer])

  test('is read', () => {
    expect(whole).toMatchObject({ allowed: true, ...expected })
  })

  test('is read the same wherever the stream is cut', () => {
    expect(read(constraint, Array.from(answer))).toEqual(whole)
    for (let cut = 1; cut < answer.length; cut++) {
      expect(read(constraint, [answer.slice(0, cut), answer.slice(cut)])).toEqual(whole)
    }
  })
})

test.each([
  ['text where a call is required', REQUIRED, `${THOUGHT}${FINAL}No`],
  ['a tool that is not offered', TOOLS, '<|channel|>commentary to=functions.other'],
  ['text where a document is required', DOCUMENT, `${FINAL}Yes`],
  ['another channel', TOOLS, '<|channel|>other']
])('the grammar does not allow %s', (_name, constraint, answer) => {
  expect(read(constraint, [answer]).allowed).toBe(false)
})
