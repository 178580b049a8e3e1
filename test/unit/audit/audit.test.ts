import {
  auditAnswer,
  MAX_ANSWER_TOKENS,
  PotluckError,
  RENDERING,
  type Audit,
  type PositionLogprobs,
  type TokenDelta,
  type TokenLogprob,
  type ToolCallDelta
} from '@potluck/protocol'
import { beforeAll, describe, expect, test } from 'vitest'

import { ScriptedEngine } from '../../scripted-engine/engine.ts'
import { newPeer, partOf, requestFor, serve, type Peer, type Twist } from './records.ts'

const engine = new ScriptedEngine()
let peer: Peer

beforeAll(async () => {
  peer = await newPeer()
})

const SCHEMA = {
  type: 'object',
  properties: { name: { type: 'string', minLength: 2, maxLength: 9 }, age: { type: 'integer', minimum: 0 } },
  required: ['name', 'age']
}
const CHAT = {
  messages: [{ role: 'user' as const, content: 'Tell me a story.' }],
  tools: [
    { name: 'tell', parameters: { type: 'object', properties: { what: { enum: ['a', 'b'] } }, required: ['what'] } }
  ]
}

/** An answer with reasoning, text and a call. */
const CALL = '<think>Because.</think>Begin. <tool_call>\n{"name": "tell", "arguments": {"what": "a"}}\n</tool_call>'

function changedCall(delta: TokenDelta, change: (call: ToolCallDelta) => Partial<ToolCallDelta>): TokenDelta {
  const { toolCalls, ...rest } = delta
  return toolCalls === undefined
    ? rest
    : { ...rest, toolCalls: toolCalls.map((call) => ({ ...call, ...change(call) })) }
}

const code = async (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'none',
    (error: unknown) => (error instanceof PotluckError ? error.code : String(error))
  )

describe('an honest answer', () => {
  test.each([
    ['at temperature 1', {}],
    ['with penalties', { maxTokens: 60 }],
    ['up to a stop sequence', { stop: ['e', 'a', 'o'], maxTokens: 200 }],
    ['with a schema', { maxTokens: 100, responseFormat: { type: 'json_schema' as const, schema: SCHEMA } }],
    [
      'with a schema, ended by the token limit',
      { maxTokens: 9, responseFormat: { type: 'json_schema' as const, schema: SCHEMA } }
    ],
    [
      'with a tool call',
      { maxTokens: 200, input: { ...CHAT, toolChoice: 'required' as const, parallelToolCalls: false } }
    ],
    ['with tools but without a call', { input: CHAT }],
    ['with log-probabilities', { topLogprobs: 5 }],
    [
      'with log-probabilities and a schema',
      { topLogprobs: 20, maxTokens: 100, responseFormat: { type: 'json_schema' as const, schema: SCHEMA } }
    ]
  ])('%s has no violations, and every token is exact', async (_, change) => {
    const request = requestFor(engine, change)
    const { record } = await serve(engine, peer, request)
    const result = await auditAnswer(record, peer.peerId, engine)
    expect(result).toMatchObject({ comparable: true, violations: [], misstatements: [] })
    expect(result.measured).toHaveLength(record.answerTokens.length)
    expect(result.measured.every(({ margin }) => margin === 0)).toBe(true)
  })

  test('with a schema, continued from another answer: the audit measures only the new tokens', async () => {
    const format = { responseFormat: { type: 'json_schema' as const, schema: SCHEMA }, maxTokens: 100 }
    const whole = await serve(engine, peer, requestFor(engine, format))
    const { promptTokens, answerTokens } = whole.record
    const first = answerTokens.length - 8
    const continuation = { promptTokens, answerTokens: answerTokens.slice(0, first) }
    const { record } = await serve(engine, peer, requestFor(engine, { ...format, continuation }))
    const result = await auditAnswer(record, peer.peerId, engine)
    expect(result.violations).toEqual([])
    expect(result.measured).toHaveLength(record.answerTokens.length - first)
    expect(result.measured.every(({ margin }) => margin === 0)).toBe(true)
  })

  test('continued from another answer: the audit measures only the new tokens', async () => {
    const whole = await serve(engine, peer, requestFor(engine))
    const { promptTokens, answerTokens } = whole.record
    const request = requestFor(engine, {
      maxTokens: 40,
      continuation: { promptTokens, answerTokens: answerTokens.slice(0, 10) }
    })
    const { record } = await serve(engine, peer, request)
    const result = await auditAnswer(record, peer.peerId, engine)
    expect(result).toMatchObject({ violations: [], misstatements: [] })
    expect(result.measured).toHaveLength(30)
    expect(result.measured.every(({ margin }) => margin === 0)).toBe(true)
  })

  test('of a later version of the sampling contract is not comparable', async () => {
    const { record } = await serve(engine, peer, requestFor(engine), { receipt: { contract: 2 } })
    expect(await auditAnswer(record, peer.peerId, engine)).toMatchObject({
      comparable: false,
      violations: [],
      measured: []
    })
  })

  test('of a model that the auditor does not have is refused', async () => {
    const other = new ScriptedEngine({ model: { digest: new Uint8Array(32) } })
    const { record } = await serve(engine, peer, requestFor(engine))
    expect(await code(auditAnswer(record, peer.peerId, other))).toBe('model_not_found')
  })
})

describe('certain fraud', () => {
  test('a token that the schema forbids has an infinite margin', async () => {
    const format = { responseFormat: { type: 'json_schema' as const, schema: SCHEMA }, maxTokens: 20 }
    const freely = (tokens: number[]): number[] => [...Buffer.from('It is ')].slice(0, tokens.length)
    const twist = { answerTokens: (tokens: number[]) => [...freely(tokens), ...tokens].slice(0, 20) }
    const { record } = await serve(engine, peer, requestFor(engine, format), twist)
    const { measured } = await auditAnswer(record, peer.peerId, engine)
    expect(measured[0]?.margin).toBe(Infinity)
  })

  const cut = (tokens: number[]): number[] => [tokens[0]!, ...tokens.slice(Math.ceil(tokens.length / 2))]

  test.each([
    ['a prompt that was cut', 'prompt', { promptTokens: cut }],
    ['a prompt with one more token', 'prompt', { promptTokens: (tokens: number[]) => [...tokens, tokens.at(-1)!] }],
    ['tokens after the requested end', 'finish', { answerTokens: (tokens: number[]) => [...tokens, ...tokens] }],
    ['a claimed stop that did not happen', 'finish', { receipt: { finishReason: 'stop' as const } }],
    [
      'a token count that is too high',
      'usage',
      { receipt: { usage: { promptTokens: 9, cachedTokens: 0, completionTokens: MAX_ANSWER_TOKENS } } }
    ],
    ['a different first position', 'continuation', { receipt: { firstPosition: 3 } }]
  ])('%s is a violation: %s', async (_, violation, twist) => {
    const { record } = await serve(engine, peer, requestFor(engine), twist)
    const result = await auditAnswer(record, peer.peerId, engine)
    expect(result.violations).toContain(violation)
    expect(result.measured).toEqual([])
  })

  test('an answer that does not begin with the tokens to continue is a violation', async () => {
    const { record } = await serve(engine, peer, requestFor(engine))
    const { promptTokens, answerTokens } = record
    const continuation = { promptTokens, answerTokens: answerTokens.slice(0, 8) }
    const changed = await serve(engine, peer, requestFor(engine, { continuation }), {
      answerTokens: (tokens) => [tokens[0]! ^ 1, ...tokens.slice(1)]
    })
    expect((await auditAnswer(changed.record, peer.peerId, engine)).violations).toEqual(['continuation'])
  })

  test.each([
    ['another digest of the earlier text', { earlierContentDigest: new Uint8Array(32) }],
    ['no digest of it', { earlierContentDigest: new Uint8Array() }]
  ])('a continuation with %s is a violation: text', async (_, receipt) => {
    const { record } = await serve(engine, peer, requestFor(engine))
    const { promptTokens, answerTokens } = record
    const continuation = { promptTokens, answerTokens: answerTokens.slice(0, 8) }
    const forged = await serve(engine, peer, requestFor(engine, { continuation }), { receipt })
    expect((await auditAnswer(forged.record, peer.peerId, engine)).violations).toEqual(['text'])
  })

  test('an answer from which the node removed the end is a violation', async () => {
    const { record } = await serve(engine, peer, requestFor(engine), { answerTokens: (tokens) => tokens.slice(0, 20) })
    expect((await auditAnswer(record, peer.peerId, engine)).violations).toEqual(['finish'])
  })

  test('a token that the model does not have is a violation, although no engine can evaluate it', async () => {
    const twist = { answerTokens: (tokens: number[]) => tokens.with(3, engine.model.vocabularySize) }
    const { record } = await serve(engine, peer, requestFor(engine), twist)
    expect((await auditAnswer(record, peer.peerId, engine)).violations).toEqual(['text'])
  })
})

const caller = new ScriptedEngine({ reply: () => CALL })

describe('content that does not follow from the tokens', () => {
  test.each<[string, (delta: TokenDelta) => TokenDelta]>([
    ['text', (delta) => ({ ...delta, text: delta.text.replace('B', 'C') })],
    ['reasoning', (delta) => ({ ...delta, ...(delta.reasoning && { reasoning: `${delta.reasoning}!` }) })],
    ['reasoning in place of text', ({ text, ...delta }) => ({ ...delta, text: '', reasoning: text })],
    [
      "a call's arguments",
      (delta) => changedCall(delta, ({ arguments: text }) => ({ arguments: text.replace('a', 'b') }))
    ],
    ["a call's id", (delta) => changedCall(delta, ({ id }) => (id === undefined ? {} : { id: 'call_1' }))],
    ["a call's name", (delta) => changedCall(delta, ({ name }) => (name === undefined ? {} : { name: 'other' }))],
    ["a call's index", (delta) => changedCall(delta, ({ index }) => ({ index: index + 1 }))]
  ])('is a violation: %s', async (_, delta) => {
    const request = requestFor(caller, { input: CHAT, maxTokens: 200 })
    const honest = await serve(caller, peer, request)
    expect((await auditAnswer(honest.record, peer.peerId, caller)).violations).toEqual([])
    const { record } = await serve(caller, peer, request, { delta })
    expect((await auditAnswer(record, peer.peerId, caller)).violations).toEqual(['text'])
  })

  test('is a violation of the node that continued the answer only for its own part', async () => {
    const { record } = await serve(caller, peer, requestFor(caller, { input: CHAT, maxTokens: 200 }))
    const { promptTokens, answerTokens } = record
    for (let first = 1; first < answerTokens.length; first += 7) {
      const continuation = { promptTokens, answerTokens: answerTokens.slice(0, first) }
      const { sampling } = requestFor(caller)
      const request = requestFor(caller, { input: CHAT, maxTokens: 200, continuation, sampling })
      const honest = await serve(caller, peer, request)
      expect((await auditAnswer(honest.record, peer.peerId, caller)).violations).toEqual([])
    }
  })
})

describe('log-probabilities', () => {
  const request = requestFor(engine, { topLogprobs: 3 })
  const change = (twist: (positions: PositionLogprobs[]) => PositionLogprobs[]): Twist => ({
    delta: (delta: TokenDelta) => ({ ...delta, logprobs: twist([...(delta.logprobs ?? [])]) })
  })
  const eachEntry = (twist: (entry: TokenLogprob) => Partial<TokenLogprob>): Twist =>
    change((positions) =>
      positions.map(({ chosen, top }) => {
        const twisted = (entry: TokenLogprob): TokenLogprob => ({ ...entry, ...twist(entry) })
        return { chosen: twisted(chosen), top: top.map(twisted) }
      })
    )

  test.each([
    ['values that are all too high', eachEntry(({ logprob }) => ({ logprob: logprob + 1 }))],
    ['values of a model that is always sure', eachEntry(({ logprob }) => ({ logprob: logprob / 100 }))],
    ['other bytes', eachEntry(() => ({ bytes: Buffer.from('?') }))],
    ['an unknown token', eachEntry(({ token, logprob }) => ({ token: logprob < -1 ? 100_000 : token }))],
    [
      'a repeated alternative',
      change((all) => all.map(({ chosen, top }) => ({ chosen, top: top.map(() => top[0]!) })))
    ],
    [
      'alternatives in another order',
      change((all) => all.map(({ chosen, top }) => ({ chosen, top: top.toReversed() })))
    ]
  ])('are a violation: %s', async (_, twist) => {
    const { record } = await serve(engine, peer, request, twist)
    expect((await auditAnswer(record, peer.peerId, engine)).violations).toEqual(['logprobs'])
  })

  test.each<[string, (sure: PositionLogprobs) => PositionLogprobs]>([
    ['the chosen token', ({ chosen, top }) => ({ chosen: { ...chosen, logprob: -9 }, top: top.slice(1) })],
    [
      'another best token',
      ({ chosen, top }) => ({ chosen: { ...chosen, logprob: -9 }, top: [{ ...top[1]!, logprob: 0 }] })
    ],
    ['no best token', ({ chosen, top }) => ({ chosen, top: top.slice(1) })]
  ])('of which one position is far from the model are a misstatement: %s', async (_, forge) => {
    const certain = requestFor(caller, { topLogprobs: 3, maxTokens: 40 })
    let position = 0
    const twist = change((all) => all.map((one) => (position++ === 5 ? forge(one) : one)))
    const { record } = await serve(caller, peer, certain, twist)
    const result = await auditAnswer(record, peer.peerId, caller)
    expect(result).toMatchObject({ violations: [], misstatements: ['logprobs'] })
    expect(result.measured).toHaveLength(record.answerTokens.length)
  })

  test('are not checked in a record without them, and other ones are refused', async () => {
    const { record } = await serve(
      engine,
      peer,
      request,
      eachEntry(() => ({ logprob: -9 }))
    )
    const { logprobs = [], ...without } = record
    expect(await auditAnswer(without, peer.peerId, engine)).toMatchObject({ violations: [], misstatements: [] })
    const other = { ...record, logprobs: logprobs.slice(1) }
    expect(await code(auditAnswer(other, peer.peerId, engine))).toBe('protocol_violation')
    const changed = { ...record, logprobs: logprobs.with(0, { ...logprobs[0]!, top: [] }) }
    expect(await code(auditAnswer(changed, peer.peerId, engine))).toBe('protocol_violation')
  })
})

describe('an answer whose beginning another node wrote', () => {
  const END = 257
  const format = { responseFormat: { type: 'json_schema' as const, schema: SCHEMA }, maxTokens: 20 }
  const audited = async (
    change: Parameters<typeof requestFor>[1],
    earlier: readonly number[],
    twist: Parameters<typeof serve>[3]
  ): Promise<Audit> => {
    const continuation = {
      promptTokens: await engine.tokenize(requestFor(engine).input),
      answerTokens: earlier
    }
    const { record } = await serve(engine, peer, requestFor(engine, { ...change, continuation }), twist)
    return await auditAnswer(record, peer.peerId, engine)
  }

  test.each<[string, Parameters<typeof requestFor>[1], readonly number[]]>([
    ['continues after its end', {}, [...Buffer.from('Yes.'), END, ...Buffer.from(' No.')]],
    ['continues after a stop sequence', { stop: ['No'] }, [...Buffer.from('Yes. No.')]],
    ['breaks the grammar', format, [...Buffer.from('It is')]]
  ])('that %s says nothing about the node', async (_, change, earlier) => {
    const free = new ScriptedEngine({ reply: () => 'Anything.' })
    // A careless node: it continues without a look at the beginning.
    const careless = Object.assign(Object.create(engine) as ScriptedEngine, {
      generate: ({ promptTokens, sampling }: Parameters<ScriptedEngine['generate']>[0]) =>
        free.generate({ promptTokens, sampling, answerTokens: [], stop: [], maxTokens: 9, credit: 9 })
    })
    expect(await audited(change, earlier, { engine: careless })).toMatchObject({
      comparable: false,
      violations: [],
      measured: []
    })
  })

  test('that ends with its last token: the node that only sends `done` is honest', async () => {
    const reply = new ScriptedEngine({ reply: () => 'Yes.' })
    const earlier = [...Buffer.from('Yes.'), END]
    const promptTokens = await reply.tokenize(requestFor(reply).input)
    const request = requestFor(reply, { continuation: { promptTokens, answerTokens: earlier } })
    const { record, finishReason } = await serve(reply, peer, request)
    expect(finishReason).toBe('stop')
    expect(await auditAnswer(record, peer.peerId, reply)).toMatchObject({
      comparable: true,
      violations: [],
      measured: []
    })
  })
})

describe('the rendering', () => {
  test('of another version: a different prompt says nothing about the node', async () => {
    const other = { receipt: { rendering: RENDERING + 1 } }
    const cut = { ...other, promptTokens: (tokens: number[]) => tokens.slice(1) }
    const { record } = await serve(engine, peer, requestFor(engine), cut)
    expect(await auditAnswer(record, peer.peerId, engine)).toMatchObject({ comparable: false, violations: [] })
    const same = await serve(engine, peer, requestFor(engine), other)
    expect((await auditAnswer(same.record, peer.peerId, engine)).measured).toHaveLength(24)
  })
})

describe('a partial receipt', () => {
  test('of an honest node: the audit measures the signed tokens, and nothing else is wrong', async () => {
    const served = await serve(engine, peer, requestFor(engine, { maxTokens: 150 }))
    const part = await partOf(served, peer)
    expect(part.answerTokens).toHaveLength(128)
    const result = await auditAnswer(part, peer.peerId, engine)
    expect(result).toMatchObject({ comparable: true, violations: [], misstatements: [] })
    expect(result.measured).toHaveLength(128)
    expect(result.measured.every(({ margin }) => margin === 0)).toBe(true)
  })

  test('of a continued answer: the audit measures only the tokens of its node', async () => {
    const { record } = await serve(engine, peer, requestFor(engine, { maxTokens: 10 }))
    const continuation = { promptTokens: record.promptTokens, answerTokens: record.answerTokens }
    const rest = await serve(engine, peer, requestFor(engine, { maxTokens: 90, continuation }))
    const result = await auditAnswer(await partOf(rest, peer), peer.peerId, engine)
    expect(result.violations).toEqual([])
    expect(result.measured).toHaveLength(64)
  })

  test.each<[string, Parameters<typeof serve>[3], Partial<Audit>]>([
    [
      'another prompt is a violation',
      { promptTokens: (tokens) => tokens.slice(1) },
      { violations: ['prompt'], measured: [] }
    ],
    ['other tokens have a margin', { answerTokens: (tokens) => tokens.with(7, 256) }, { violations: [] }]
  ])('of a node that cheats: %s', async (_, twist, expected) => {
    const served = await serve(engine, peer, requestFor(engine, { maxTokens: 70 }), twist)
    const result = await auditAnswer(await partOf(served, peer), peer.peerId, engine)
    expect(result).toMatchObject(expected)
    if (result.measured.length > 0) expect(result.measured[7]?.margin).toBe(Infinity)
  })

  test('is refused if it is not for these tokens', async () => {
    const served = await serve(engine, peer, requestFor(engine, { maxTokens: 130 }))
    const part = await partOf(served, peer)
    const forged = [
      { ...part, answerTokens: part.answerTokens.with(3, 7) },
      { ...part, answerTokens: part.answerTokens.slice(0, 64) },
      { ...part, promptTokens: part.promptTokens.slice(1) },
      await partOf(served, peer, { firstPosition: 64 }),
      await partOf(served, peer, { requestDigest: new Uint8Array(32) })
    ]
    for (const record of forged) expect(await code(auditAnswer(record, peer.peerId, engine))).toBe('protocol_violation')
    expect(await code(auditAnswer(part, (await newPeer()).peerId, engine))).toBe('protocol_violation')
  })
})

describe('a record that differs from what the node signed', () => {
  test('is refused, for a change in any of its parts', async () => {
    const { record } = await serve(engine, peer, requestFor(engine))
    const other = await serve(engine, peer, requestFor(engine))
    const change = (bytes: Uint8Array): Uint8Array => bytes.map((byte, index) => (index === 40 ? byte ^ 1 : byte))
    const forged = [
      { ...record, request: other.record.request },
      { ...record, promptTokens: [...record.promptTokens, 5] },
      { ...record, answerTokens: record.answerTokens.with(3, 7) },
      { ...record, answerTokens: record.answerTokens.slice(0, -1) },
      { ...record, receipt: other.record.receipt },
      { ...record, receipt: change(record.receipt) }
    ]
    for (const forgery of forged)
      expect(await code(auditAnswer(forgery, peer.peerId, engine))).toBe('protocol_violation')
    expect(await code(auditAnswer(record, (await newPeer()).peerId, engine))).toBe('protocol_violation')
  })
})
