/** Arguments between tags: what the grammar allows, and what the parser makes of them. */
import type { JsonSchema, OutputConstraint, Tool } from '@potluck/protocol'
import { expect, test } from 'vitest'

import type { TaggedCalls } from '../../../node/engine/output/chat-format.ts'
import { ConstraintCompiler } from '../../../node/engine/output/compiler.ts'
import { vocabulary } from '../../scripted-engine/model.ts'

const CALLS: TaggedCalls = {
  opening: '<call>',
  between: '</call><call>',
  closing: '</call>',
  afterName: '',
  beforeKey: '<key>',
  afterKey: '</key><value>',
  afterValue: '</value>'
}
const compiler = new ConstraintCompiler(vocabulary, { calls: CALLS })

/** Returns the arguments of a call of the tool `t`; undefined if the grammar does not allow the call. */
function argumentsOf(parameters: JsonSchema | undefined, ...given: [key: string, value: string][]): unknown {
  const tool: Tool = { name: 't', ...(parameters === undefined ? {} : { parameters }) }
  const constraint: OutputConstraint = { chat: true, tools: [tool], toolChoice: 'required' }
  const answer = `<call>t${given.map(([key, value]) => `<key>${key}</key><value>${value}</value>`).join('')}</call>`
  const grammar = compiler.grammar(constraint)!
  for (const byte of Buffer.from(answer)) grammar.accept(byte)
  if (grammar.failed) return undefined
  const parser = compiler.parser(constraint, { promptTokens: [1], seed: 1n })!
  const parts = [...Array.from(answer, (character) => parser.push(character)), parser.finish()]
  return JSON.parse(parts.flatMap(({ calls }) => calls.map((call) => call.arguments)).join(''))
}

const object = (properties: Record<string, JsonSchema>, more: object = {}): JsonSchema => ({
  type: 'object',
  properties,
  ...more
})

test('a string stands as it is, and any other value is JSON', () => {
  const schema = object({ text: { type: 'string' }, count: { type: 'integer' }, list: { type: 'array', items: {} } })
  const given = argumentsOf(schema, ['text', ' "a"\n<b> '], ['count', '3'], ['list', '[1, "x"]'])
  expect(given).toEqual({ text: ' "a"\n<b> ', count: 3, list: [1, 'x'] })
  expect(argumentsOf(schema, ['text', '12'])).toEqual({ text: '12' })
  expect(argumentsOf(schema, ['count', 'three'])).toBeUndefined()
})

test('required arguments must come, others can be absent, and unknown ones are not allowed', () => {
  const schema = object({ a: { type: 'string' }, b: { type: 'boolean' } }, { required: ['b'] })
  expect(argumentsOf(schema, ['b', 'true'])).toEqual({ b: true })
  expect(argumentsOf(schema, ['a', 'x'])).toBeUndefined()
  expect(argumentsOf(schema, ['b', 'true'], ['c', 'x'])).toBeUndefined()
})

test('what pydantic and zod write for an optional string, a listed text and a nested model', () => {
  const kind = { enum: ['fox', 'owl'], type: 'string' }
  const schema = object(
    {
      name: { anyOf: [{ type: 'string' }, { type: 'null' }], default: null },
      kind: { $ref: '#/$defs/Kind' },
      size: { $ref: '#/$defs/Size' },
      fixed: { const: 'yes' }
    },
    { $defs: { Kind: kind, Size: object({ legs: { type: 'integer' } }, { required: ['legs'] }) } }
  )
  const given = argumentsOf(schema, ['name', 'Reed'], ['kind', 'owl'], ['size', '{"legs": 2}'], ['fixed', 'yes'])
  expect(given).toEqual({ name: 'Reed', kind: 'owl', size: { legs: 2 }, fixed: 'yes' })
  expect(argumentsOf(schema, ['fixed', 'no'])).toBeUndefined()
  expect(argumentsOf(schema, ['kind', 'cat'])).toBeUndefined()
  expect(argumentsOf(object({ kind }), ['kind', 'cat'])).toBeUndefined()
})

test('a tool without declared arguments gets none, or any texts if its schema allows other keys', () => {
  expect(argumentsOf(undefined)).toEqual({})
  expect(argumentsOf(undefined, ['any', 'text'])).toEqual({ any: 'text' })
  const closed = object({}, { additionalProperties: false })
  expect(argumentsOf(closed)).toEqual({})
  expect(argumentsOf(closed, ['any', 'text'])).toBeUndefined()
})
