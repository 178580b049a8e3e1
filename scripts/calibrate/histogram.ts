/** From counts of honest tokens to a histogram that no honest node exceeds. */
import { BINS, OUTCOMES } from '../../client/audit/bins.ts'

/**
 * Added for each bin, whatever was measured: an honest token may be anything once in so many. A
 * calibration has seen some machines, and a conviction is for good.
 */
const LEAST = 1e-4
/** At a tie it is the toss of a coin which token comes. */
const MOST_TAIL = 0.5

/**
 * By row, the probabilities of the outcomes.
 *
 * @param pairs counts by cell, for each pair of an honest node and an honest auditor
 */
export function honestHistogram(pairs: readonly (readonly number[])[]): number[][] {
  return Array.from({ length: BINS }, (_, gap) => {
    const rows = pairs.map((cells) => cells.slice(gap * OUTCOMES, (gap + 1) * OUTCOMES))
    const tails = Array.from({ length: BINS + 1 }, (__, bin) =>
      bin === BINS ? 0 : Math.max(...rows.map((row) => tailBound(row, Math.max(bin, gap))))
    )
    return [1 - tails[0]!, ...tails.slice(0, BINS).map((tail, bin) => tail - tails[bin + 1]!)].map(rounded)
  })
}

/**
 * Upper bound on the probability of a margin in this bin or beyond: by Poisson's law two deviations
 * above what was seen, 3 / n where nothing was.
 */
function tailBound(row: readonly number[], bin: number): number {
  const seen = row.reduce((sum, count) => sum + count, 0)
  const beyond = row.slice(1 + bin).reduce((sum, count) => sum + count, 0)
  return Math.min(MOST_TAIL, (beyond + 2 * Math.sqrt(beyond) + 3) / seen) + LEAST * (BINS - bin)
}

const rounded = (probability: number): number => Number(probability.toPrecision(6))
