/** The histogram of honest nodes, which the calibration computes from its counts. */
import { expect, test } from 'vitest'

import { BINS, OUTCOMES } from '../../../client/evidence/bins.ts'
import { honestHistogram } from '../../../scripts/calibrate/histogram.ts'
import { xorshift } from '../protocol/mutate.ts'

/** Random tokens by cell: most are exact, and no margin is smaller than its gap. */
function counts(tokens: number, random: () => number): number[] {
  const cells = Array.from({ length: BINS * OUTCOMES }, () => 0)
  for (let token = 0; token < tokens; token++) {
    const gap = random() % BINS
    const bin = random() % 100 < 3 ? gap + (random() % (BINS - gap)) : undefined
    cells[gap * OUTCOMES + (bin === undefined ? 0 : 1 + bin)]!++
  }
  return cells
}

const tail = (row: readonly number[], bin: number): number => row.slice(1 + bin).reduce((sum, value) => sum + value, 0)

test('every row is a distribution, and gives each margin at least twice its measured frequency', () => {
  const cells = counts(40_000, xorshift(3))
  honestHistogram([cells]).forEach((row, gap) => {
    const seen = cells.slice(gap * OUTCOMES, (gap + 1) * OUTCOMES)
    const all = seen.reduce((sum, count) => sum + count, 0)
    expect(row.reduce((sum, probability) => sum + probability, 0)).toBeCloseTo(1, 4)
    for (let bin = gap; bin < BINS; bin++) expect(tail(row, bin)).toBeGreaterThan((2 * tail(seen, bin)) / all)
  })
})

test('a margin that was never measured has a probability above 0, which falls with more measurements', () => {
  const exact = (tokens: number): number[] =>
    Array.from({ length: BINS * OUTCOMES }, (_, cell) => (cell % OUTCOMES === 0 ? tokens : 0))
  const [few, many] = [honestHistogram([exact(1_000)]), honestHistogram([exact(1_000_000)])]
  for (let gap = 0; gap < BINS; gap++) {
    expect(tail(many[gap]!, gap)).toBeGreaterThan(0)
    expect(tail(many[gap]!, gap)).toBeLessThan(tail(few[gap]!, gap))
  }
  // A row without any token has no information: at a tie both tokens are equally likely.
  expect(tail(honestHistogram([exact(0)])[0]!, 0)).toBeCloseTo(0.5, 2)
})
