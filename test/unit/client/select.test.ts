import type { Sighting } from '../../../client/discover/ask-card.ts'
import { toModelViews } from '../../../client/discover/models.ts'
import { ambiguous, offersOf, settleModel, type Offer } from '../../../client/select/offers.ts'
import { order, predictCompletionMs } from '../../../client/select/order.ts'
import { SAMPLING_CONTRACT, type Card, type Load, type ModelCard } from '@potluck/protocol'
import { describe, expect, test } from 'vitest'

import { IDLE, model } from './fake-node.ts'

const NO_CHANCE = (): number => 0
const WORK = { promptTokens: 100, maxTokens: undefined, now: 0 }

function sighting(
  models: readonly ModelCard[],
  changes: { card?: Partial<Card>; load?: Load; roundTripMs?: number } = {}
): Sighting {
  const { card, load = IDLE, roundTripMs = 10 } = changes
  return {
    card: { models, draining: false, contract: SAMPLING_CONTRACT, ...card } as Card,
    load,
    roundTripMs,
    loadAt: 0,
    seenAt: 0
  }
}

function offer(changes: Parameters<typeof sighting>[1] = {}, of: Partial<ModelCard> = {}): Offer {
  const served = model(of)
  return { sighting: sighting([served], changes), model: served }
}

describe('a prediction', () => {
  const base = predictCompletionMs(offer(), WORK)

  test('is round trip, queue, prefill and decode', () => {
    // 10 ms, 100 tokens at 1,000/s, 256 at 100/s.
    expect(base).toBe(10 + 100 + 2560)
  })

  test('grows with each of them', () => {
    expect(predictCompletionMs(offer({ roundTripMs: 20 }), WORK)).toBe(base + 10)
    expect(predictCompletionMs(offer({ load: { ...IDLE, estimatedWaitMs: 500 } }), WORK)).toBe(base + 500)
    expect(predictCompletionMs(offer({}, { prefillTokensPerSecond: 500 }), WORK)).toBeCloseTo(base + 100)
    expect(predictCompletionMs(offer({}, { decodeTokensPerSecond: 50 }), WORK)).toBeCloseTo(base + 2560)
  })

  test('forgets a wait as it passes', () => {
    const waiting = offer({ load: { ...IDLE, estimatedWaitMs: 500 } })
    expect(predictCompletionMs(waiting, { ...WORK, now: 200 })).toBe(base + 300)
    expect(predictCompletionMs(waiting, { ...WORK, now: 9000 })).toBe(base)
  })

  test('counts the tokens asked for, where they are few', () => {
    expect(predictCompletionMs(offer(), { ...WORK, maxTokens: 10 })).toBe(10 + 100 + 100)
  })

  test('holds a rate that was not measured for slow', () => {
    expect(predictCompletionMs(offer({}, { decodeTokensPerSecond: 0 }), WORK)).toBeGreaterThan(200_000)
  })
})

describe('the order', () => {
  test('is by prediction', () => {
    const [slow, fast] = [offer({ roundTripMs: 5000 }), offer()]
    expect(order([slow, fast], WORK, NO_CHANCE)).toEqual([fast, slow])
  })

  test('leaves nodes that are near to each other to chance, and no others', () => {
    const [a, b, slow] = [offer(), offer({ roundTripMs: 11 }), offer({ roundTripMs: 5000 })]
    const draws = [0.9, 0, 0]
    expect(order([a, b, slow], WORK, () => draws.shift() ?? 0)).toEqual([b, a, slow])
    expect(order([slow, a, b], WORK, NO_CHANCE)).toEqual([a, b, slow])
  })

  test('puts contexts last that are likely too short', () => {
    const [short, long] = [offer({ roundTripMs: 1 }, { contextLength: 128 }), offer({}, { contextLength: 4096 })]
    expect(order([short, long], { ...WORK, maxTokens: 64 }, NO_CHANCE)).toEqual([long, short])
  })
})

describe('offers', () => {
  const any = { features: ['chat'], maxTokens: undefined }

  test('are of the model wanted', () => {
    const [a, b] = [model({ name: 'x/a:Q8_0' }), model({ name: 'x/b:Q8_0', digest: new Uint8Array(32).fill(9) })]
    const node = sighting([a, b])
    expect(offersOf(node, { kind: 'auto' }, any)).toHaveLength(2)
    expect(offersOf(node, { kind: 'name', name: 'X/A:q8_0' }, any).map((found) => found.model)).toEqual([a])
    expect(offersOf(node, { kind: 'digest', digest: b.digest }, any).map((found) => found.model)).toEqual([b])
  })

  test('lack nothing that is asked for', () => {
    const node = sighting([model({ features: ['completion'], contextLength: 100 })])
    expect(offersOf(node, { kind: 'auto' }, any)).toEqual([])
    expect(offersOf(node, { kind: 'auto' }, { features: ['completion'], maxTokens: 100 })).toEqual([])
    expect(offersOf(node, { kind: 'auto' }, { features: ['completion'], maxTokens: 99 })).toHaveLength(1)
  })

  test('are none of a node that leaves, or of another contract', () => {
    expect(offersOf(sighting([model()], { card: { draining: true } }), { kind: 'auto' }, any)).toEqual([])
    expect(offersOf(sighting([model()], { card: { contract: SAMPLING_CONTRACT + 1 } }), { kind: 'auto' }, any)).toEqual(
      []
    )
  })
})

describe('one model is settled on', () => {
  const small = offer({}, { digest: new Uint8Array(32).fill(1), parameters: 1e6 })
  const large = offer({}, { digest: new Uint8Array(32).fill(2), parameters: 1e9 })
  const slow = offer({}, { digest: new Uint8Array(32).fill(3), parameters: 1e11, decodeTokensPerSecond: 1 })

  test('the largest that is fast enough to read along', () => {
    expect(settleModel([small, large, slow], { kind: 'auto' })).toEqual([large])
  })

  test('the fastest where none is', () => {
    const slower = offer({}, { digest: new Uint8Array(32).fill(4), parameters: 1e12, decodeTokensPerSecond: 0.5 })
    expect(settleModel([slower, slow], { kind: 'auto' })).toEqual([slow])
  })

  test('of one name, the majority', () => {
    expect(settleModel([small, large, small], { kind: 'name', name: 'x' })).toEqual([small, small])
    expect(settleModel([small, large], { kind: 'name', name: 'x' })).toBeUndefined()
    expect(ambiguous([small, large])).toMatchObject({ code: 'invalid_request' })
  })
})

test('models are seen over their nodes', () => {
  const views = toModelViews([
    sighting([model({ name: 'a/a:Q8_0', decodeTokensPerSecond: 10 })]),
    sighting([model({ name: 'a/a:Q8_0', contextLength: 8192 })], { load: { ...IDLE, active: 1 } }),
    sighting([model({ name: 'b/b:Q8_0' })], { card: { draining: true } })
  ])
  expect(views).toHaveLength(1)
  expect(views[0]).toMatchObject({
    name: 'a/a:Q8_0',
    nodes: 2,
    freeSlots: 3,
    contextLength: 8192,
    decodeTokensPerSecond: 100
  })
})
