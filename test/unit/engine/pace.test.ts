import { describe, expect, it } from 'vitest'
import {
  BATCH_TOKENS,
  FIRST_SLICE_TOKENS,
  LEAST_SLICE_TOKENS,
  PREFILL_SLICE_MS,
  SLICE_STEP_TOKENS
} from '../../../node/engine/constants.ts'
import { SlicePace } from '../../../node/engine/llama/pace.ts'

/** The shares of sequences that begin together on a machine that evaluates this many tokens a second. */
function shares(tokensPerSecond: number, rounds: number, sequences = 1): number[] {
  const pace = new SlicePace()
  for (let sequence = 0; sequence < sequences; sequence++) pace.begin()
  return Array.from({ length: rounds }, () => {
    const { share } = pace
    const elapsedMs = (share * sequences * 1000) / tokensPerSecond
    for (let sequence = 0; sequence < sequences; sequence++) pace.observe(share, elapsedMs)
    return share
  })
}

describe('the slices of a prefill', () => {
  it('begin small and come to take the time that an abort allows', () => {
    const [first, ...others] = shares(1000, 10)
    expect(first).toBe(FIRST_SLICE_TOKENS)
    expect(others.at(-1)).toBe(Math.floor(PREFILL_SLICE_MS / SLICE_STEP_TOKENS) * SLICE_STEP_TOKENS)
  })

  it('never exceed a batch, nor become too small to be worth it', () => {
    expect(shares(1_000_000, 20).at(-1)).toBe(BATCH_TOKENS)
    expect(shares(5, 20).at(-1)).toBe(LEAST_SLICE_TOKENS)
  })

  it('are shared by the prompts that are evaluated together', () => {
    expect(shares(1000, 10, 4).at(-1)).toBe(shares(1000, 10).at(-1)! / 4)
    expect(shares(5, 10, 100).at(-1)).toBe(1)
  })

  it('at most double or halve, whatever one measurement says', () => {
    const pace = new SlicePace()
    pace.begin()
    pace.observe(FIRST_SLICE_TOKENS, 0)
    expect(pace.share).toBe(2 * FIRST_SLICE_TOKENS)
    pace.observe(2 * FIRST_SLICE_TOKENS, 60_000)
    expect(pace.share).toBe(FIRST_SLICE_TOKENS)
  })
})
