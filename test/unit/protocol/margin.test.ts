import {
  DEFAULT_SAMPLING,
  sampleToken,
  tokenMargin,
  type TokenCandidates,
  type SamplingParameters
} from '@potluck/protocol'
import { describe, expect, test } from 'vitest'

import { xorshift } from './mutate.ts'

interface Position {
  candidates: TokenCandidates
  parameters: SamplingParameters
  position: number
  counts: Map<number, number>
}

const uniformFrom = (random: () => number): number => (random() + 0.5) / 2 ** 32

/** Raw logits as a language model gives them: a few likely tokens and a long tail. */
function randomPosition(random: () => number): Position {
  const pick = <T>(values: T[]): T => values[random() % values.length]!
  const spread = pick([0.5, 2, 6])
  const logits = Array.from({ length: 64 }, () => 10 + spread * Math.log(uniformFrom(random)))
  // Candidates that are tied may stand for each other at no margin.
  if (new Set(Float32Array.from(logits)).size < logits.length) return randomPosition(random)
  return {
    candidates: ordered([...logits.keys()], logits),
    parameters: {
      ...DEFAULT_SAMPLING,
      seed: BigInt(random()),
      temperature: pick([0, 0.5, 0.8, 1, 1.5]),
      topK: pick([0, 1, 3, 40]),
      topP: pick([1, 0.95, 0.7, 0.1]),
      minP: pick([0, 0.05, 0.5]),
      frequencyPenalty: pick([0, 0.3]),
      presencePenalty: pick([0, 0.5])
    },
    position: random() % 1000,
    counts: new Map([[random() % 64, 1 + (random() % 3)]])
  }
}

function ordered(tokens: number[], logits: number[]): TokenCandidates {
  const order = tokens.toSorted((a, b) => logits[b]! - logits[a]! || a - b)
  return { tokens: Uint32Array.from(order), logits: Float32Array.from(order, (token) => logits[token]!) }
}

function withNoise({ tokens, logits }: TokenCandidates, size: number, random: () => number): TokenCandidates {
  const noisy: number[] = []
  tokens.forEach((token, index) => {
    noisy[token] = logits[index]! + size * (2 * uniformFrom(random) - 1)
  })
  return ordered([...tokens], noisy)
}

describe('margin', () => {
  test('is zero for the token that the contract gives', () => {
    const random = xorshift(1)
    for (let run = 0; run < 5000; run++) {
      const { candidates, parameters, position, counts } = randomPosition(random)
      const token = sampleToken(candidates, parameters, position, counts)
      expect(tokenMargin(candidates, parameters, position, counts, token).margin).toBe(0)
    }
  })

  test('is above zero for every other token, and infinite beyond the candidates', () => {
    const random = xorshift(2)
    for (let run = 0; run < 500; run++) {
      const { candidates, parameters, position, counts } = randomPosition(random)
      const token = sampleToken(candidates, parameters, position, counts)
      for (const other of candidates.tokens) {
        if (other !== token) {
          expect(tokenMargin(candidates, parameters, position, counts, other).margin).toBeGreaterThan(0)
        }
      }
      expect(tokenMargin(candidates, parameters, position, counts, 64).margin).toBe(Infinity)
    }
  })

  test('has as its gap the least margin of all other tokens, whatever was claimed', () => {
    const random = xorshift(4)
    for (let run = 0; run < 300; run++) {
      const { candidates, parameters, position, counts } = randomPosition(random)
      const measured = [...candidates.tokens].map((token) =>
        tokenMargin(candidates, parameters, position, counts, token)
      )
      const least = Math.min(...measured.map(({ margin }) => margin).filter((margin) => margin > 0))
      for (const { gap } of measured) expect(gap).toBe(least)
    }
  })

  test.each([0.001, 0.01, 0.1])('noise of %d in the logits never makes a margin above four times as much', (size) => {
    const random = xorshift(3)
    let changed = 0
    for (let run = 0; run < 20_000; run++) {
      const { candidates, parameters, position, counts } = randomPosition(random)
      const token = sampleToken(withNoise(candidates, size, random), parameters, position, counts)
      const { margin } = tokenMargin(candidates, parameters, position, counts, token)
      if (margin > 0) changed++
      expect(margin).toBeLessThanOrEqual(4 * size)
    }
    // The noise does turn tokens: otherwise the bound above would say nothing.
    expect(changed).toBeGreaterThan(size * 500)
  })
})
