/**
 * Makes a histogram from the counts of honest tokens. The histogram allows more noise than any honest node should have.
 */
import { BINS, OUTCOMES } from '../../client/evidence/bins.ts'

/**
 * Backends that this calibration cannot measure may differ by more. So the histogram makes every margin this many times
 * more frequent than measured. Machines with 1.5 times the measured noise are then still within the histogram:
 * `npm run bench -- audit` reports their evidence and false bans.
 */
const MORE_OFTEN = 2
/**
 * Added to the measured probability of each bin, so that no margin is impossible. A calibration covers only some
 * machines, and a ban is permanent.
 */
const LEAST = 3e-5
/**
 * Added to the count of margins over all kinds of requests: for a count of 0, the bound is then 3 / n, the "rule of
 * three". A single kind has too few tokens for it.
 */
const UNSEEN = 3
/** The largest probability of a margin above 0: if two tokens are tied, each of them is chosen with probability 0.5. */
const MOST_TAIL = 0.5

/**
 * Returns one row per gap, with the probabilities of its outcomes.
 *
 * @param requests for each kind of requests, the counts over all pairs of a node and an auditor with different
 *   arithmetic. The histogram is a bound for each kind
 */
export function honestHistogram(requests: readonly (readonly number[])[]): number[][] {
  return Array.from({ length: BINS }, (_, gap) => {
    const rows = requests.map((cells) => cells.slice(gap * OUTCOMES, (gap + 1) * OUTCOMES))
    const all = rows[0]!.map((_, outcome) => rows.reduce((sum, row) => sum + row[outcome]!, 0))
    const tails = Array.from({ length: BINS + 1 }, (__, bin) =>
      bin === BINS
        ? 0
        : Math.min(MOST_TAIL, Math.max(tailBound(all, bin, UNSEEN), ...rows.map((row) => tailBound(row, bin, 0)))) +
          LEAST * (BINS - Math.max(bin, gap))
    )
    return [1 - tails[0]!, ...tails.slice(0, BINS).map((tail, bin) => tail - tails[bin + 1]!)].map(rounded)
  })
}

/**
 * Upper bound on the probability of a margin in this bin or a larger one. The bound takes the measured count plus two
 * standard deviations of a Poisson distribution plus `unseen`, as a share of all n tokens. `MORE_OFTEN` and `LEAST`
 * then raise the bound.
 */
function tailBound(row: readonly number[], bin: number, unseen: number): number {
  const seen = row.reduce((sum, count) => sum + count, 0)
  const beyond = row.slice(1 + bin).reduce((sum, count) => sum + count, 0)
  if (seen === 0) return unseen === 0 ? 0 : MOST_TAIL
  return (MORE_OFTEN * (beyond + 2 * Math.sqrt(beyond) + unseen)) / seen
}

const rounded = (probability: number): number => Number(probability.toPrecision(6))
