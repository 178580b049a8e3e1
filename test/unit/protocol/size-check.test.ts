/** What is refused before it is decoded, because decoding it would take too long. */
import { create, toBinary } from '@bufbuild/protobuf'
import {
  decodeClientFrame,
  DEFAULT_SAMPLING,
  encodeRequest,
  MAX_ANSWER_TOKENS,
  MAX_LOGIT_BIAS,
  MAX_MESSAGES,
  MAX_PROMPT_TOKENS,
  MAX_TOOLS,
  type GenerateRequest
} from '@potluck/protocol'
import { expect, test } from 'vitest'

import { MAX_MESSAGE_FIELDS, MAX_MESSAGE_NUMBERS, MAX_SCHEMA_MEMBERS } from '../../../protocol/constants.ts'
import { ClientFrameSchema, type GenerateRequestSchema } from '../../../protocol/messages/potluck_pb.ts'
import { measureJson } from '../../../protocol/wire/json-size.ts'
import { isCheapToDecode } from '../../../protocol/wire/size-check.ts'

function list<T>(length: number, make: (index: number) => T): T[] {
  return Array.from({ length }, (_, index) => make(index))
}

function request(changes: Partial<GenerateRequest> = {}): GenerateRequest {
  return {
    requestId: new Uint8Array(16),
    modelDigest: new Uint8Array(32),
    input: { prompt: 'Hello' },
    sampling: { ...DEFAULT_SAMPLING, seed: 1n },
    maxTokens: MAX_ANSWER_TOKENS,
    stop: [],
    credit: 16,
    commitment: new Uint8Array(32),
    ...changes
  }
}

test('the largest honest requests are decoded', () => {
  const call = { id: 'call_1', name: 'tool', arguments: '{}' }
  const messages = list(MAX_MESSAGES, () => ({ role: 'assistant', content: 'x', toolCalls: [call] }) as const)
  const tools = list(MAX_TOOLS, (index) => ({ name: `tool${index}`, description: 'x', strict: true }))
  const logitBias = new Map(list(MAX_LOGIT_BIAS, (index): [number, number] => [index, 1]))
  const agent = request({ input: { messages, tools }, sampling: { ...DEFAULT_SAMPLING, seed: 1n, logitBias } })
  const continued = request({
    continuation: {
      promptTokens: list(MAX_PROMPT_TOKENS, () => 200_000),
      answerTokens: list(MAX_ANSWER_TOKENS, () => 200_000)
    }
  })
  for (const one of [agent, continued]) {
    expect(decodeClientFrame(encodeRequest(one).bytes)).toMatchObject({ type: 'request', request: one })
  }
})

test('too many fields, at any depth, and too many numbers are refused before they are decoded', () => {
  const encoded = (value: Parameters<typeof create<typeof GenerateRequestSchema>>[1]): Uint8Array =>
    toBinary(ClientFrameSchema, create(ClientFrameSchema, { body: { case: 'request', value: value! } }))
  const message = (calls: number): object => ({ toolCalls: list(calls, () => ({})) })
  const cases: [frame: Uint8Array, isCheap: boolean][] = [
    [encoded({ stop: list(MAX_MESSAGE_FIELDS - 1, () => '') }), true],
    [encoded({ stop: list(MAX_MESSAGE_FIELDS, () => '') }), false],
    [encoded({ messages: [message(MAX_MESSAGE_FIELDS - 2)] }), true],
    [encoded({ messages: [message(MAX_MESSAGE_FIELDS - 1)] }), false],
    [encoded({ promptTokens: list(MAX_MESSAGE_NUMBERS, () => 1) }), true],
    [encoded({ promptTokens: list(MAX_MESSAGE_NUMBERS, () => 1), answerTokens: [1] }), false]
  ]
  for (const [frame, isCheap] of cases) expect(isCheapToDecode(ClientFrameSchema, frame)).toBe(isCheap)
  expect(() => decodeClientFrame(cases[1]![0])).toThrow('invalid request: too many fields or numbers')
})

test('a field that ends after its message is not a message', () => {
  // A request of 2 bytes, with a stop sequence of 5 bytes.
  expect(() => decodeClientFrame(Uint8Array.of(0x0a, 0x02, 0x3a, 0x05, 1, 1, 1, 1, 1))).toThrow('not a client frame')
})

test('a group is refused, because its fields are not counted', () => {
  const [begin, end] = [Uint8Array.of(0xf3, 0x07), Uint8Array.of(0xf4, 0x07)]
  const frame = encodeRequest(request()).bytes
  const later = Uint8Array.of(0xf8, 0x07, 0)
  // An unknown field of a later version is ignored.
  expect(decodeClientFrame(Buffer.concat([frame, later])).type).toBe('request')
  expect(() => decodeClientFrame(Buffer.concat([frame, begin, later, end]))).toThrow('not a client frame')
})

test('the size of a JSON text is measured outside its strings', () => {
  expect(measureJson('{"a": [{"b:\\"{": "}:"}], "c": {}}')).toEqual({ depth: 3, members: 3 })
  const keys = (count: number): Uint8Array => {
    const schema = Object.fromEntries(list(count, (index) => [`k${index}`, 1]))
    const tools = [{ name: 'tool', parameters: schema }]
    return encodeRequest(request({ input: { messages: [{ role: 'user', content: 'x' }], tools } })).bytes
  }
  expect(() => decodeClientFrame(keys(MAX_SCHEMA_MEMBERS))).not.toThrow()
  expect(() => decodeClientFrame(keys(MAX_SCHEMA_MEMBERS + 1))).toThrow('must have at most 16384 keys')
})
