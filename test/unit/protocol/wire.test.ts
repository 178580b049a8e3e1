import fc from 'fast-check'
import {
  CREDIT_WINDOW,
  decodeCardReply,
  decodeClientFrame,
  decodeNodeFrame,
  DEFAULT_SAMPLING,
  encodeCardReply,
  encodeCredit,
  encodeNodeFrame,
  encodeRequest,
  MAX_ANSWER_TOKENS,
  MAX_LOGIT_BIAS,
  PotluckError,
  type GenerateRequest
} from '@potluck/protocol'
import { describe, expect, test } from 'vitest'

import { nodeFrame, request } from './arbitraries.ts'
import { mutate, randomBytes, xorshift } from './mutate.ts'

const plain: GenerateRequest = {
  requestId: new Uint8Array(16).fill(1),
  modelDigest: new Uint8Array(32).fill(2),
  input: { messages: [{ role: 'user', content: 'hi' }] },
  sampling: { ...DEFAULT_SAMPLING, seed: 3n },
  maxTokens: 64,
  stop: ['\n\n'],
  credit: CREDIT_WINDOW,
  shareable: false
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
    ['role', { ...plain, input: { messages: [{ role: 'tool' as 'user', content: '' }] } }, 'role'],
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
