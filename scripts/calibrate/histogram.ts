/** From counts of honest tokens to a histogram that no honest node exceeds. */
import { BINS, OUTCOMES } from '../../client/evidence/bins.ts'

/**
 * Backends that could not be measured may differ by more: a margin of any size comes so much more often.
 * Machines whose noise is half as much again stay within it (`npm run bench -- audit` prints how well).
 */
const MORE_OFTEN = 2
/**
 * Added for each bin, whatever was measured: an honest token may be anything once in so many. A
 * calibration has seen some machines, and a ban is for good.
 */
const LEAST = 3e-5
/** At a tie it is the toss of a coin which token comes. */
const MOST_TAIL = 0.5

/**
 * By row, the probabilities of the outcomes.
 *
 * @param cells counts over all pairs of a node and an auditor that compute differently
 */
export function honestHistogram(cells: readonly number[]): number[][] {
  return Array.from({ length: BINS }, (_, gap) => {
    const row = cells.slice(gap * OUTCOMES, (gap + 1) * OUTCOMES)
    const tails = Array.from({ length: BINS + 1 }, (__, bin) => (bin === BINS ? 0 : tailBound(row, Math.max(bin, gap))))
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
  const share = seen === 0 ? MOST_TAIL : (MORE_OFTEN * (beyond + 2 * Math.sqrt(beyond) + 3)) / seen
  return Math.min(MOST_TAIL, share) + LEAST * (BINS - bin)
}

const rounded = (probability: number): number => Number(probability.toPrecision(6))
