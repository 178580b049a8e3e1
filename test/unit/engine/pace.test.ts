import { describe, expect, it } from 'vitest'
import {
  BATCH_TOKENS,
  FIRST_SLICE_TOKENS,
  LEAST_SLICE_TOKENS,
  PREFILL_SLICE_MS,
  SLICE_STEP_TOKENS
} from '../../../node/engine/constants.ts'
import { SlicePace, type Demand } from '../../../node/engine/llama/internals/pace.ts'

const LONG = 10_000

/** New prompts and answers. */
const fresh = (...left: number[]): Demand[] => left.map((tokens) => ({ left: tokens, done: 0, cohort: 0 }))

/** The share of a long prompt alone. */
const slice = (pace: SlicePace): number => pace.divide(fresh(LONG)).shares[0]!

/** A pace that has measured a machine with this many tokens per second. */
function learned(tokensPerSecond: number): SlicePace {
  const pace = new SlicePace()
  for (let round = 0; round < 20; round++) {
    const tokens = slice(pace)
    pace.observe(tokens, (tokens * 1000) / tokensPerSecond)
  }
  return pace
}

describe('the slices of a prefill', () => {
  it('begin small and grow to the longest allowed time, in whole steps', () => {
    expect(slice(new SlicePace())).toBe(FIRST_SLICE_TOKENS)
    const expected = Math.floor(PREFILL_SLICE_MS / SLICE_STEP_TOKENS) * SLICE_STEP_TOKENS
    expect(slice(learned(1000))).toBe(expected)
  })

  it('are never larger than a batch or smaller than the minimum', () => {
    expect(slice(learned(1_000_000))).toBe(BATCH_TOKENS)
    expect(slice(learned(5))).toBe(LEAST_SLICE_TOKENS)
  })

  it('are divided among the prompts, and the other prompts get what a short prompt does not need', () => {
    const many = Array.from({ length: 100 }, () => LONG)
    expect(learned(5).divide(fresh(...many))).toEqual({ shares: many.map(() => 1), prompts: many.length })
    expect(learned(1_000_000).divide(fresh(LONG, 12, LONG))).toEqual({ shares: [250, 12, 250], prompts: BATCH_TOKENS })
    expect(learned(1_000_000).divide(fresh(LONG, LONG, LONG)).shares).toEqual([170, 170, 170])
  })

  it('go to slightly later prompts first, until all have the same progress', () => {
    const pace = learned(1_000_000)
    const prompts = [
      { left: 2000, done: 300, cohort: 0 },
      { left: 1000, done: 0, cohort: 0 },
      { left: 1500, done: 0, cohort: 0 }
    ]
    const given: number[][] = []
    while (given.length < 3) {
      const { shares } = pace.divide(prompts)
      given.push(shares)
      for (const [index, share] of shares.entries()) {
        prompts[index]!.left -= share
        prompts[index]!.done += share
      }
    }
    expect(given).toEqual([
      [0, 256, 256],
      [0, 44, 44],
      [170, 170, 170]
    ])
  })

  it('do not make answers or much older prompts wait', () => {
    const pace = learned(1_000_000)
    const begins = { left: LONG, done: 0, cohort: 1 }
    expect(pace.divide([{ left: LONG, done: 10, cohort: 0 }, begins]).shares).toEqual([256, 256])
    expect(pace.divide([{ left: 1, done: 100, cohort: 1 }, begins]).shares).toEqual([1, BATCH_TOKENS])
  })

  it('do not take the token of an answer', () => {
    expect(learned(1_000_000).divide(fresh(1, LONG, 1))).toEqual({
      shares: [1, BATCH_TOKENS, 1],
      prompts: BATCH_TOKENS
    })
    expect(learned(5).divide(fresh(1, 1))).toEqual({ shares: [1, 1], prompts: 0 })
  })

  it('at most double or halve after one measurement', () => {
    const pace = new SlicePace()
    pace.observe(FIRST_SLICE_TOKENS, 0)
    expect(slice(pace)).toBe(2 * FIRST_SLICE_TOKENS)
    pace.observe(2 * FIRST_SLICE_TOKENS, 60_000)
    expect(slice(pace)).toBe(FIRST_SLICE_TOKENS)
  })

  it('do not shrink because of the small slice at the end of a prompt', () => {
    const pace = learned(1000)
    const before = slice(pace)
    pace.observe(SLICE_STEP_TOKENS, PREFILL_SLICE_MS)
    expect(slice(pace)).toBe(before)
    pace.observe(SLICE_STEP_TOKENS, 2 * PREFILL_SLICE_MS)
    expect(slice(pace)).toBeLessThan(before)
  })
})
