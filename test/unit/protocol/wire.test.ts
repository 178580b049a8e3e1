import fc from 'fast-check'
import {
  CREDIT_WINDOW,
  decodeCardReply,
  decodeClientFrame,
  decodeEmbedReply,
  decodeEmbedRequest,
  decodeNodeFrame,
  DEFAULT_SAMPLING,
  encodeCardReply,
  encodeCredit,
  encodeEmbedReply,
  encodeEmbedRequest,
  encodeNodeFrame,
  encodeRequest,
  MAX_ANSWER_TOKENS,
  MAX_LOGIT_BIAS,
  MAX_SCHEMA_BYTES,
  PotluckError,
  type GenerateRequest,
  type JsonSchema
} from '@potluck/protocol'
import { describe, expect, test } from 'vitest'

import { embeddings, embedRequest, nodeFrame, request } from './arbitraries.ts'
import { mutate, randomBytes, xorshift } from './mutate.ts'

const HI = { role: 'user', content: 'hi' } as const
const plain: GenerateRequest = {
  requestId: new Uint8Array(16).fill(1),
  modelDigest: new Uint8Array(32).fill(2),
  input: { messages: [HI] },
  sampling: { ...DEFAULT_SAMPLING, seed: 3n },
  maxTokens: 64,
  stop: ['\n\n'],
  credit: CREDIT_WINDOW,
  shareable: false
}

/** Lists within lists. */
function deep(levels: number): JsonSchema {
  return { const: JSON.parse('['.repeat(levels) + ']'.repeat(levels)) }
}

function codeOf(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    if (error instanceof PotluckError) return error.code
    throw error
  }
  return 'none'
}

describe('round trips', () => {
  test('every request', () => {
    fc.assert(
      fc.property(request, (value) => {
        const { bytes, digest } = encodeRequest(value)
        expect(decodeClientFrame(bytes)).toEqual({ type: 'request', request: value, digest })
      })
    )
  })

  test('every frame of a node', () => {
    fc.assert(
      fc.property(nodeFrame, (value) => {
        expect(decodeNodeFrame(encodeNodeFrame(value))).toEqual(value)
      })
    )
  })

  test('every request for embeddings, and its reply', () => {
    fc.assert(
      fc.property(embedRequest, embeddings, (asked, result) => {
        expect(decodeEmbedRequest(encodeEmbedRequest(asked))).toEqual(asked)
        const reply = { type: 'result', result } as const
        expect(decodeEmbedReply(encodeEmbedReply(reply), result.vectors.length)).toEqual(reply)
      })
    )
  })

  test('credit and card replies', () => {
    expect(decodeClientFrame(encodeCredit(64))).toEqual({ type: 'credit', tokens: 64 })
    const reply = { card: Uint8Array.of(1, 2), load: { active: 1, queued: 2, slots: 3, estimatedWaitMs: 4 } }
    expect(decodeCardReply(encodeCardReply(reply))).toEqual(reply)
  })
})

describe('golden bytes', () => {
  const load = { active: 1, queued: 0, slots: 4, estimatedWaitMs: 0 }
  const frames: Record<string, () => Uint8Array> = {
    request: () => encodeRequest(plain).bytes,
    'request, continued': () =>
      encodeRequest({
        ...plain,
        input: { prompt: 'Once' },
        topLogprobs: 5,
        sampling: { ...plain.sampling, logitBias: new Map([[7, -1.5]]) },
        continuation: { promptTokens: [1, 300], answerTokens: [70_000] }
      }).bytes,
    credit: () => encodeCredit(64),
    accepted: () =>
      encodeNodeFrame({
        type: 'accepted',
        promptTokens: [1, 300, 70_000],
        queuePosition: 2,
        estimatedWaitMs: 250,
        load
      }),
    delta: () =>
      encodeNodeFrame({
        type: 'delta',
        delta: {
          tokens: [300],
          text: 'é',
          logprobs: [{ chosen: { token: 300, logprob: -0.5, bytes: Uint8Array.of(0xc3, 0xa9) }, top: [] }]
        }
      }),
    done: () =>
      encodeNodeFrame({
        type: 'done',
        finishReason: 'stop',
        usage: { promptTokens: 3, cachedTokens: 2, completionTokens: 1 },
        timings: { queueMs: 0, prefillMs: 1.5, decodeMs: 2.5 },
        load,
        receipt: Uint8Array.of(9)
      }),
    'request, shaped': () =>
      encodeRequest({
        ...plain,
        input: {
          messages: [
            HI,
            { role: 'assistant', content: '', toolCalls: [{ id: 'call_1', name: 'find', arguments: '{}' }] },
            { role: 'tool', content: 'found', toolCallId: 'call_1' }
          ],
          tools: [{ name: 'find', description: 'Finds.', parameters: { type: 'object' }, strict: true }],
          toolChoice: { name: 'find' },
          parallelToolCalls: false
        },
        responseFormat: { type: 'json_schema', schema: { type: 'integer' } }
      }).bytes,
    'delta, shaped': () =>
      encodeNodeFrame({
        type: 'delta',
        delta: {
          tokens: [5],
          text: '',
          reasoning: 'Hm.',
          toolCalls: [
            { index: 0, id: 'call_1', name: 'find', arguments: '{' },
            { index: 0, arguments: '}' }
          ]
        }
      }),
    'request for embeddings': () => encodeEmbedRequest({ modelDigest: new Uint8Array(32).fill(2), texts: ['a', 'é'] }),
    embeddings: () =>
      encodeEmbedReply({ type: 'result', result: { vectors: [Float32Array.of(0.6, -0.8)], promptTokens: 3 } }),
    error: () => encodeNodeFrame({ type: 'error', code: 'busy', retryAfterMs: 500, load, detail: 'queue full' })
  }

  // A change of this file is a change of the protocol, and needs a new version of its id.
  test('are those of version 1', async () => {
    const lines = Object.entries(frames).map(([name, encode]) => `${name}: ${Buffer.from(encode()).toString('hex')}\n`)
    await expect(lines.join('')).toMatchFileSnapshot('../../vectors/wire-1.txt')
  })
})

describe('a request that breaks a rule is refused and the field named', () => {
  test.each<[string, GenerateRequest, string]>([
    ['request_id', { ...plain, requestId: new Uint8Array(15) }, 'request_id'],
    ['model_digest', { ...plain, modelDigest: new Uint8Array(33) }, 'model_digest'],
    ['no messages', { ...plain, input: { messages: [] } }, 'messages'],
    ['role', { ...plain, input: { messages: [{ role: 'robot' as 'user', content: '' }] } }, 'role'],
    [
      'calls of a user',
      {
        ...plain,
        input: { messages: [{ role: 'user', content: '', toolCalls: [{ id: 'a', name: 'b', arguments: '' }] }] }
      },
      'tool_calls'
    ],
    ['an answer to a call by a user', { ...plain, input: { messages: [{ ...HI, toolCallId: 'a' }] } }, 'tool_call_id'],
    ['tool name', { ...plain, input: { messages: [HI], tools: [{ name: 'a b' }] } }, 'tools.name'],
    ['long tool name', { ...plain, input: { messages: [HI], tools: [{ name: 'a'.repeat(65) }] } }, 'tools.name'],
    ['two tools of a name', { ...plain, input: { messages: [HI], tools: [{ name: 'a' }, { name: 'a' }] } }, 'tools'],
    [
      'many tools',
      {
        ...plain,
        input: { messages: [HI], tools: Array.from({ length: 129 }, (_, index) => ({ name: `t${index}` })) }
      },
      'tools'
    ],
    [
      'large schemas',
      {
        ...plain,
        input: { messages: [HI], tools: [{ name: 'a', parameters: { title: 'x'.repeat(MAX_SCHEMA_BYTES) } }] }
      },
      'tools'
    ],
    [
      'a strict tool beyond the subset',
      { ...plain, input: { messages: [HI], tools: [{ name: 'a', strict: true, parameters: { not: {} } }] } },
      'tools.a.parameters # not'
    ],
    ['a choice without tools', { ...plain, input: { messages: [HI], toolChoice: 'required' } }, 'tool_choice'],
    [
      'a choice of none of them',
      { ...plain, input: { messages: [HI], tools: [{ name: 'a' }], toolChoice: { name: 'b' } } },
      'tool_choice'
    ],
    [
      'a schema beyond the subset',
      { ...plain, responseFormat: { type: 'json_schema', schema: { properties: { a: { pattern: 'x' } } } } },
      'response_format #/properties/a pattern'
    ],
    [
      'a bottomless schema',
      { ...plain, responseFormat: { type: 'json_schema', schema: deep(300) } },
      'response_format'
    ],
    ['a format of another kind', { ...plain, responseFormat: { type: 'yaml' as 'json_object' } }, 'response_format'],
    ['max_tokens 0', { ...plain, maxTokens: 0 }, 'max_tokens'],
    ['max_tokens', { ...plain, maxTokens: MAX_ANSWER_TOKENS + 1 }, 'max_tokens'],
    ['credit', { ...plain, credit: 0 }, 'credit'],
    ['empty stop', { ...plain, stop: [''] }, 'stop'],
    ['long stop', { ...plain, stop: ['x'.repeat(257)] }, 'stop'],
    ['many stops', { ...plain, stop: Array.from({ length: 17 }, () => 'x') }, 'stop'],
    ['top_logprobs', { ...plain, topLogprobs: 21 }, 'top_logprobs'],
    ['NaN', { ...plain, sampling: { ...plain.sampling, temperature: Number.NaN } }, 'temperature'],
    ['infinite', { ...plain, sampling: { ...plain.sampling, temperature: Infinity } }, 'temperature'],
    ['negative', { ...plain, sampling: { ...plain.sampling, temperature: -1 } }, 'temperature'],
    ['top_p', { ...plain, sampling: { ...plain.sampling, topP: 1.1 } }, 'top_p'],
    [
      'logit_bias',
      {
        ...plain,
        sampling: {
          ...plain.sampling,
          logitBias: new Map(Array.from({ length: MAX_LOGIT_BIAS + 1 }, (_, id) => [id, 1]))
        }
      },
      'logit_bias'
    ],
    ['answer without prompt', { ...plain, continuation: { promptTokens: [], answerTokens: [1] } }, 'answer_tokens'],
    [
      'more answer than asked for',
      { ...plain, maxTokens: 1, continuation: { promptTokens: [1], answerTokens: [1, 2] } },
      'answer_tokens'
    ],
    ['token id', { ...plain, continuation: { promptTokens: [1 << 30], answerTokens: [] } }, 'prompt_tokens']
  ])('%s', (_, bad, field) => {
    const decode = (): unknown => decodeClientFrame(encodeRequest(bad).bytes)
    expect(decode).toThrow(new RegExp(`^invalid request: ${field} `))
    expect(codeOf(decode)).toBe('invalid_request')
  })

  test('another sampling contract is unsupported, not invalid', () => {
    const { bytes } = encodeRequest(plain)
    // Field 1 of Sampling (contract) is the first of its message: tag 0x08, value 1.
    const at = Buffer.from(bytes).indexOf(Buffer.from([0x08, 0x01, 0x10, 0x03]))
    expect(at).toBeGreaterThan(0)
    bytes[at + 1] = 2
    expect(codeOf(() => decodeClientFrame(bytes))).toBe('unsupported')
  })
})

describe('embeddings that are none are a violation', () => {
  const vector = Float32Array.of(1, 0)
  const reply = (...vectors: Float32Array[]): Uint8Array =>
    encodeEmbedReply({ type: 'result', result: { vectors, promptTokens: 1 } })

  test.each<[string, Uint8Array]>([
    ['too few', reply(vector)],
    ['of different dimensions', reply(vector, Float32Array.of(1))],
    ['not of length 1', reply(vector, Float32Array.of(1, 1))],
    ['not numbers', reply(vector, Float32Array.of(Number.NaN, 1))],
    ['without dimensions', reply(new Float32Array(), new Float32Array())]
  ])('%s', (_, bytes) => {
    expect(codeOf(() => decodeEmbedReply(bytes, 2))).toBe('protocol_violation')
  })

  test('and so are texts that are none', () => {
    const ask = (...texts: string[]): Uint8Array => encodeEmbedRequest({ modelDigest: new Uint8Array(32), texts })
    for (const bytes of [ask(), ask(''), ask(...Array.from({ length: 33 }, () => 'a'))]) {
      expect(codeOf(() => decodeEmbedRequest(bytes))).toBe('invalid_request')
    }
  })
})

describe('a node cannot choose its own blame', () => {
  test.each(['aborted', 'no_providers', 'dial_failed', 'toString', 'code of version 9'])(
    '%s reads as unsupported',
    (code) => {
      const frame = encodeNodeFrame({ type: 'error', code: code as 'busy', detail: '' })
      expect(decodeNodeFrame(frame)).toMatchObject({ type: 'error', code: 'unsupported' })
    }
  )

  test('control characters in a detail are a violation', () => {
    const frame = encodeNodeFrame({ type: 'error', code: 'busy', detail: '\u001b[2J' })
    expect(codeOf(() => decodeNodeFrame(frame))).toBe('protocol_violation')
  })
})

describe('hostile bytes', () => {
  const decoders: [string, (bytes: Uint8Array) => unknown, Uint8Array[]][] = [
    [
      'client frames',
      decodeClientFrame,
      fc.sample(request, { numRuns: 40, seed: 1 }).map((r) => encodeRequest(r).bytes)
    ],
    ['node frames', decodeNodeFrame, fc.sample(nodeFrame, { numRuns: 40, seed: 2 }).map(encodeNodeFrame)],
    [
      'requests for embeddings',
      decodeEmbedRequest,
      fc.sample(embedRequest, { numRuns: 20, seed: 3 }).map(encodeEmbedRequest)
    ],
    [
      'embeddings',
      (bytes) => decodeEmbedReply(bytes, 2),
      fc.sample(embeddings, { numRuns: 40, seed: 4 }).map((result) => encodeEmbedReply({ type: 'result', result }))
    ],
    [
      'card replies',
      decodeCardReply,
      [
        encodeCardReply({
          card: new Uint8Array(300).fill(7),
          load: { active: 1, queued: 1, slots: 1, estimatedWaitMs: 1 }
        })
      ]
    ]
  ]

  test.each(decoders)('60,000 random and mutated %s: decoded or refused with a code', (_, decode, seeds) => {
    const random = xorshift(0x9e3779b9)
    let refused = 0
    for (let run = 0; run < 60_000; run++) {
      const bytes = run % 3 === 0 ? randomBytes(random) : mutate(seeds[random() % seeds.length]!, random)
      if (codeOf(() => decode(bytes)) !== 'none') refused++
    }
    expect(refused).toBeGreaterThan(1000)
  })
})
