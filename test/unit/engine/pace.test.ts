import { describe, expect, it } from 'vitest'
import {
  BATCH_TOKENS,
  FIRST_SLICE_TOKENS,
  LEAST_SLICE_TOKENS,
  PREFILL_SLICE_MS
} from '../../../node/engine/constants.ts'
import { Pace } from '../../../node/engine/llama/sequence.ts'

/** The slices of a machine that evaluates this many tokens a second. */
function slices(tokensPerSecond: number, count: number): number[] {
  const pace = new Pace()
  return Array.from({ length: count }, () => {
    const { tokens } = pace
    pace.observe(tokens, (tokens * 1000) / tokensPerSecond)
    return tokens
  })
}

describe('the slices of a prefill', () => {
  it('begin small and come to take the time that an abort allows', () => {
    const [first, ...others] = slices(2000, 10)
    expect(first).toBe(FIRST_SLICE_TOKENS)
    expect(others.at(-1)).toBe((2000 * PREFILL_SLICE_MS) / 1000)
  })

  it('never exceed a batch, nor become too small to be worth it', () => {
    expect(slices(1_000_000, 20).at(-1)).toBe(BATCH_TOKENS)
    expect(slices(5, 20).at(-1)).toBe(LEAST_SLICE_TOKENS)
  })

  it('at most double or halve, whatever one measurement says', () => {
    const pace = new Pace()
    pace.observe(FIRST_SLICE_TOKENS, 0)
    expect(pace.tokens).toBe(2 * FIRST_SLICE_TOKENS)
    pace.observe(2 * FIRST_SLICE_TOKENS, 60_000)
    expect(pace.tokens).toBe(FIRST_SLICE_TOKENS)
  })
})
