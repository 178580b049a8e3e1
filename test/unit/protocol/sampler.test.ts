import { readFileSync } from 'node:fs'
import { CANDIDATES, DEFAULT_SAMPLING, philox4x32, sampleToken, uniform } from '@potluck/protocol'
import { describe, expect, test } from 'vitest'

interface Vector {
  tokens: number[]
  logits: number[]
  seed: string
  position: number
  temperature: number
  topK: number
  topP: number
  minP: number
  presencePenalty: number
  frequencyPenalty: number
  logitBias: Record<string, number>
  counts: Record<string, number>
  chosen: number
}

function vectors(): Vector[] {
  return JSON.parse(readFileSync(new URL('../../vectors/sampler-1.json', import.meta.url), 'utf8')) as Vector[]
}

function byToken(record: Record<string, number>): Map<number, number> {
  return new Map(Object.entries(record).map(([token, value]) => [Number(token), value]))
}

function sample(vector: Vector): number {
  return sampleToken(
    { tokens: Uint32Array.from(vector.tokens), logits: Float32Array.from(vector.logits) },
    { ...vector, seed: BigInt(vector.seed), logitBias: byToken(vector.logitBias) },
    vector.position,
    byToken(vector.counts)
  )
}

describe('philox4x32-10', () => {
  // Known answers from the authors' library (Random123, kat_vectors).
  test.each([
    [
      [0, 0, 0, 0],
      [0, 0],
      [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]
    ],
    [
      [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
      [0xffffffff, 0xffffffff],
      [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]
    ],
    [
      [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      [0xa4093822, 0x299f31d0],
      [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1]
    ]
  ])('returns the published words for %s', (counter, [key0, key1], expected) => {
    const block = Uint32Array.from(counter)
    philox4x32(block, key0!, key1!)
    expect([...block]).toEqual(expected)
  })

  test('uniform numbers are strictly between 0 and 1 and evenly distributed', () => {
    const bins = new Uint32Array(16)
    const draws = 64_000
    for (let token = 0; token < draws; token++) {
      const u = uniform(1n | (2n << 32n), 3, token)
      expect(u > 0 && u < 1).toBe(true)
      bins[Math.floor(u * bins.length)]!++
    }
    // 37.7 is the 99.9 % quantile of chi-square with 15 degrees of freedom.
    const expected = draws / bins.length
    expect(bins.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0)).toBeLessThan(37.7)
  })
})

describe('sampling contract 1', () => {
  test('gives the same tokens as a second implementation for all golden vectors', () => {
    const cases = vectors()
    expect(cases.length).toBe(200)
    expect(cases.map(sample)).toEqual(cases.map(({ chosen }) => chosen))
  })

  test('does not depend on earlier calls', () => {
    const cases = vectors()
    const forwards = cases.map(sample)
    expect(cases.toReversed().map(sample).toReversed()).toEqual(forwards)
  })

  test('draws from the softmax', () => {
    const logits = [2, 1.5, 1, 0.2, -0.5, -1]
    const temperature = 0.9
    const weights = logits.map((logit) => Math.exp(logit / temperature))
    const mass = weights.reduce((sum, weight) => sum + weight, 0)
    const candidates = { tokens: Uint32Array.from(logits.keys()), logits: Float32Array.from(logits) }
    const parameters = { ...DEFAULT_SAMPLING, seed: 7n, temperature, topK: 0, topP: 1, minP: 0 }
    const draws = 50_000
    const seen = new Uint32Array(logits.length)
    for (let position = 0; position < draws; position++) {
      seen[sampleToken(candidates, parameters, position, new Map())]!++
    }
    const chiSquare = weights.reduce((sum, weight, token) => {
      const expected = (draws * weight) / mass
      return sum + (seen[token]! - expected) ** 2 / expected
    }, 0)
    // 20.5 is the 99.9 % quantile of chi-square with 5 degrees of freedom.
    expect(chiSquare).toBeLessThan(20.5)
  })

  test('depends on the position and on both halves of the seed', () => {
    const candidates = {
      tokens: Uint32Array.from({ length: CANDIDATES }, (_, token) => token),
      logits: new Float32Array(CANDIDATES)
    }
    const parameters = { ...DEFAULT_SAMPLING, temperature: 1, topK: 0, topP: 1, minP: 0 }
    const draw = (seed: bigint, position: number): number =>
      sampleToken(candidates, { ...parameters, seed }, position, new Map())
    const run = (seed: bigint): number[] => Array.from({ length: 20 }, (_, position) => draw(seed, position))
    expect(new Set(run(1n)).size).toBeGreaterThan(5)
    expect(run(1n)).not.toEqual(run(2n))
    expect(run(1n)).not.toEqual(run(1n + (1n << 32n)))
    expect(run(1n)).toEqual(run(1n))
  })

  test('throws if there are no candidates', () => {
    const none = { tokens: new Uint32Array(), logits: new Float32Array() }
    expect(() => sampleToken(none, { ...DEFAULT_SAMPLING, seed: 0n }, 0, new Map())).toThrow(RangeError)
  })
})
