import { describe, expect, it } from 'vitest'
import {
  BATCH_TOKENS,
  FIRST_SLICE_TOKENS,
  LEAST_SLICE_TOKENS,
  PREFILL_SLICE_MS,
  SLICE_STEP_TOKENS
} from '../../../node/engine/constants.ts'
import { SlicePace } from '../../../node/engine/llama/pace.ts'

const LONG = 10_000

/** A pace that has met a machine which evaluates this many tokens a second. */
function learned(tokensPerSecond: number): SlicePace {
  const pace = new SlicePace()
  for (let round = 0; round < 20; round++) {
    const [tokens] = pace.divide([LONG])
    pace.observe(tokens!, (tokens! * 1000) / tokensPerSecond)
  }
  return pace
}

describe('the slices of a prefill', () => {
  it('begin small and come to take the time that an abort allows, in whole steps', () => {
    expect(new SlicePace().divide([LONG])).toEqual([FIRST_SLICE_TOKENS])
    const expected = Math.floor(PREFILL_SLICE_MS / SLICE_STEP_TOKENS) * SLICE_STEP_TOKENS
    expect(learned(1000).divide([LONG])).toEqual([expected])
  })

  it('never exceed a batch, nor become too small to be worth it', () => {
    expect(learned(1_000_000).divide([LONG])).toEqual([BATCH_TOKENS])
    expect(learned(5).divide([LONG])).toEqual([LEAST_SLICE_TOKENS])
  })

  it('are shared by the prompts that are evaluated together, and what one does not need is the others', () => {
    expect(learned(5).divide(Array.from({ length: 100 }, () => LONG))).toEqual(Array.from({ length: 100 }, () => 1))
    expect(learned(1_000_000).divide([LONG, 12, LONG, 1])).toEqual([249, 12, 250, 1])
  })

  it('make whole steps together with the tokens of answers', () => {
    const shares = learned(300).divide([1, LONG, 1, LONG, LONG])
    expect(shares.reduce((sum, share) => sum + share, 0) % SLICE_STEP_TOKENS).toBe(0)
    expect(learned(5).divide([1, 1, 1, 1, 1, 1, LONG])).toEqual([1, 1, 1, 1, 1, 1, LEAST_SLICE_TOKENS])
  })

  it('at most double or halve, whatever one measurement says', () => {
    const pace = new SlicePace()
    pace.observe(FIRST_SLICE_TOKENS, 0)
    expect(pace.divide([LONG])).toEqual([2 * FIRST_SLICE_TOKENS])
    pace.observe(2 * FIRST_SLICE_TOKENS, 60_000)
    expect(pace.divide([LONG])).toEqual([FIRST_SLICE_TOKENS])
  })

  it('do not shrink because the end of a prompt was small and not quick', () => {
    const pace = learned(1000)
    const before = pace.divide([LONG])
    pace.observe(SLICE_STEP_TOKENS, PREFILL_SLICE_MS)
    expect(pace.divide([LONG])).toEqual(before)
    pace.observe(SLICE_STEP_TOKENS, 2 * PREFILL_SLICE_MS)
    expect(pace.divide([LONG])[0]).toBeLessThan(before[0]!)
  })
})
