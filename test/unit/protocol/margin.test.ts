import {
  AUDIT_CANDIDATES,
  CANDIDATES,
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

/** Generates raw logits that are similar to those of a language model: a few likely tokens and a long tail. */
function randomPosition(random: () => number): Position {
  const pick = <T>(values: T[]): T => values[random() % values.length]!
  const spread = pick([0.5, 2, 6])
  const logits = Array.from({ length: 64 }, () => 10 + spread * Math.log(uniformFrom(random)))
  // If two candidates have equal logits, both can have margin 0.
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
  test('is 0 for the token that the contract gives', () => {
    const random = xorshift(1)
    for (let run = 0; run < 5000; run++) {
      const { candidates, parameters, position, counts } = randomPosition(random)
      const token = sampleToken(candidates, parameters, position, counts)
      expect(tokenMargin(candidates, parameters, position, counts, token).margin).toBe(0)
    }
  })

  test('is above 0 for every other candidate, and infinite for other tokens', () => {
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

  test('the gap is the smallest margin of all other tokens, for any claimed token', () => {
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

  test.each([0.001, 0.01, 0.1])('noise of %d in the logits gives margins of at most four times the noise', (size) => {
    const random = xorshift(3)
    let changed = 0
    for (let run = 0; run < 20_000; run++) {
      const { candidates, parameters, position, counts } = randomPosition(random)
      const token = sampleToken(withNoise(candidates, size, random), parameters, position, counts)
      const { margin } = tokenMargin(candidates, parameters, position, counts, token)
      if (margin > 0) changed++
      expect(margin).toBeLessThanOrEqual(4 * size)
    }
    // The noise must change some tokens. Otherwise the check above would test nothing.
    expect(changed).toBeGreaterThan(size * 500)
  })
})

describe('at the cut after 64 candidates', () => {
  /**
   * A vocabulary of 300 tokens, of which a machine sees the best. The parameters are the strangest that a request can
   * have.
   */
  function adversarialPosition(random: () => number): Position & { logits: number[] } {
    const pick = <T>(values: T[]): T => values[random() % values.length]!
    const logits = Array.from({ length: 300 }, () => 10 + 3 * Math.log(uniformFrom(random)))
    const parameters = {
      ...DEFAULT_SAMPLING,
      seed: BigInt(random()),
      temperature: pick([0, 1, 2, 10, 100]),
      topK: 0,
      topP: pick([1, 0.9]),
      minP: pick([0, 0.05]),
      logitBias: new Map(Array.from({ length: pick([0, 1, 20]) }, () => [random() % 300, pick([100, -100, 5])])),
      frequencyPenalty: pick([0, 2, -2]),
      presencePenalty: pick([0, -100])
    }
    const counts = new Map([[random() % 300, 1 + (random() % 3)]])
    return { logits, candidates: best(logits), parameters, position: random() % 1000, counts }
  }

  function best(logits: number[]): TokenCandidates {
    const { tokens, logits: sorted } = ordered([...logits.keys()], logits)
    return { tokens: tokens.slice(0, AUDIT_CANDIDATES), logits: sorted.slice(0, AUDIT_CANDIDATES) }
  }

  test('small noise has small margins, whatever a request asks for', () => {
    const random = xorshift(11)
    let beyond = 0
    for (let round = 0; round < 3000; round++) {
      const { logits, candidates, parameters, position, counts } = adversarialPosition(random)
      const noisy = best(logits.map((logit) => logit + 0.1 * (2 * uniformFrom(random) - 1)))
      const claimed = sampleToken(noisy, parameters, position, counts)
      const { margin, gap } = tokenMargin(candidates, parameters, position, counts, claimed)
      expect(margin).toBeLessThanOrEqual(0.4)
      if (margin > 0) expect(margin).toBeGreaterThanOrEqual(gap)
      if (candidates.tokens.indexOf(claimed) >= CANDIDATES) beyond++
    }
    // Otherwise the test would not show that the cut counts.
    expect(beyond).toBeGreaterThan(10)
  })

  test('a token that is far below the cut has an infinite margin', () => {
    const { logits, parameters, position, counts } = adversarialPosition(xorshift(12))
    const candidates = best(logits)
    const least = logits.indexOf(Math.min(...logits))
    expect(tokenMargin(candidates, parameters, position, counts, least).margin).toBe(Infinity)
  })
})
