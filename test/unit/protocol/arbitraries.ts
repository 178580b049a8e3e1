/** Valid protocol values of every shape, for property tests. */
import fc from 'fast-check'
import type { Card, GenerateRequest, Hardware, ModelCard, NodeFrame } from '@potluck/protocol'
import type { PeerId } from '@libp2p/interface'

const bytes = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: length, maxLength: length })
const tokenId = fc.nat(262_143)
const text = fc.string({ unit: 'grapheme', maxLength: 80 })
const label = fc.string({ unit: 'grapheme-ascii', maxLength: 40 })
const uint32 = fc.nat(0xffff_ffff)
const finite = (min: number, max: number): fc.Arbitrary<number> => fc.double({ min, max, noNaN: true })

const input = fc.oneof(
  fc.record({ prompt: text }),
  fc.record({
    messages: fc.array(
      fc.record({ role: fc.constantFrom('system' as const, 'user' as const, 'assistant' as const), content: text }),
      { minLength: 1, maxLength: 6 }
    )
  })
)

export const request: fc.Arbitrary<GenerateRequest> = fc.record(
  {
    requestId: bytes(16),
    modelDigest: bytes(32),
    input,
    sampling: fc.record({
      seed: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
      temperature: finite(0, 100),
      topK: uint32,
      topP: finite(0, 1),
      minP: finite(0, 1),
      presencePenalty: finite(-100, 100),
      frequencyPenalty: finite(-100, 100),
      logitBias: fc.array(fc.tuple(tokenId, finite(-100, 100)), { maxLength: 5 }).map((pairs) => new Map(pairs))
    }),
    maxTokens: fc.integer({ min: 20, max: 100_000 }),
    stop: fc.array(fc.string({ minLength: 1, maxLength: 10 }), { maxLength: 4 }),
    topLogprobs: fc.nat(20),
    credit: fc.integer({ min: 1, max: 65_536 }),
    shareable: fc.boolean(),
    continuation: fc.record({
      promptTokens: fc.array(tokenId, { minLength: 1, maxLength: 50 }),
      answerTokens: fc.array(tokenId, { maxLength: 19 })
    })
  },
  { requiredKeys: ['requestId', 'modelDigest', 'input', 'sampling', 'maxTokens', 'stop', 'credit', 'shareable'] }
)

const load = fc.record({ active: uint32, queued: uint32, slots: uint32, estimatedWaitMs: fc.nat(86_400_000) })
const logprob = fc.record({ token: tokenId, logprob: finite(-1000, 0), bytes: fc.uint8Array({ maxLength: 12 }) })
const delta = fc.array(tokenId, { minLength: 1, maxLength: 8 }).chain((tokens) =>
  fc.record(
    {
      tokens: fc.constant(tokens),
      text,
      logprobs: fc.array(fc.record({ chosen: logprob, top: fc.array(logprob, { maxLength: 20 }) }), {
        minLength: tokens.length,
        maxLength: tokens.length
      })
    },
    { requiredKeys: ['tokens', 'text'] }
  )
)

const usage = fc.tuple(fc.nat(10_000), fc.nat(10_000), fc.nat(10_000)).map(([a, b, completionTokens]) => ({
  promptTokens: Math.max(a, b),
  cachedTokens: Math.min(a, b),
  completionTokens
}))

export const nodeFrame: fc.Arbitrary<NodeFrame> = fc.oneof(
  fc.record({
    type: fc.constant('accepted' as const),
    promptTokens: fc.array(tokenId, { maxLength: 50 }),
    queuePosition: uint32,
    estimatedWaitMs: fc.nat(86_400_000),
    load
  }),
  fc.record({ type: fc.constant('delta' as const), delta }),
  fc.record({
    type: fc.constant('done' as const),
    finishReason: fc.constantFrom('stop' as const, 'length' as const),
    usage,
    timings: fc.record({ queueMs: finite(0, 1e7), prefillMs: finite(0, 1e7), decodeMs: finite(0, 1e7) }),
    load,
    receipt: fc.uint8Array({ maxLength: 200 })
  }),
  fc.record(
    {
      type: fc.constant('error' as const),
      code: fc.constantFrom('busy' as const, 'engine_failed' as const, 'invalid_request' as const),
      retryAfterMs: fc.integer({ min: 1, max: 86_400_000 }),
      load,
      detail: label
    },
    { requiredKeys: ['type', 'code', 'detail'] }
  )
)

const model: fc.Arbitrary<ModelCard> = fc.record({
  digest: bytes(32),
  name: label,
  architecture: label,
  parameters: fc.maxSafeNat(),
  quantization: label,
  contextLength: fc.integer({ min: 1, max: 1_000_000 }),
  features: fc.array(label, { maxLength: 5 }),
  prefillTokensPerSecond: finite(0, 1e6),
  decodeTokensPerSecond: finite(0, 1e6),
  sizeBytes: fc.maxSafeNat()
})

const hardware: fc.Arbitrary<Hardware> = fc.record({
  accelerator: label,
  device: label,
  vramBytes: fc.maxSafeNat(),
  ramBytes: fc.maxSafeNat(),
  cores: fc.nat(512),
  os: label
})

/** A peer's card that is valid at `now`. */
export function card(peerId: PeerId, now: number): fc.Arbitrary<Card> {
  return fc.record({
    peerId: fc.constant(peerId),
    sequence: fc.constant(now),
    expiresAt: fc.constant(now + 60_000),
    addresses: fc.array(label, { maxLength: 4 }),
    models: fc.array(model, { maxLength: 4 }),
    hardware,
    slots: fc.nat(64),
    engine: label,
    contract: uint32,
    agent: label,
    draining: fc.boolean()
  })
}
