/**
 * What one token says: for each alternative the likelihood ratio of a cell, alternative to honest,
 * given the row.
 *
 * Within a row a ratio never falls with the margin, and its expectation under the honest histogram
 * is 1. So under every peer whose margins are stochastically smaller than that histogram's it is at
 * most 1, whatever came before: products of these ratios are bets that nobody honest can lose often.
 * As the row is given, it does not matter who chose the prompt and the seed: at a near tie, which a
 * slanderer may grind for, a mismatch says nothing.
 */
import { BINS, EDGES, OUTCOMES } from './bins.ts'
import { ALTERNATIVE_SCALES } from './constants.ts'
import { HONEST } from './honest.ts'

/** Natural logarithms, by alternative and cell. */
export const LOG_RATIOS: readonly (readonly number[])[] = ALTERNATIVE_SCALES.map((scale) =>
  HONEST.flatMap((honest, gap) => logRatios(honest, alternative(gap, scale)))
)

/** Probabilities of the outcomes in a row, for logistic noise of this scale on every score. */
function alternative(gap: number, scale: number): number[] {
  const atLeast = (bin: number): number => (bin >= BINS ? 0 : 1 / (1 + Math.exp(sizeOf(Math.max(bin, gap)) / scale)))
  const bins = Array.from({ length: BINS }, (_, bin) => atLeast(bin) - atLeast(bin + 1))
  return [1 - bins.reduce((sum, probability) => sum + probability, 0), ...bins]
}

/** The middle of a bin, on a logarithmic scale. */
function sizeOf(bin: number): number {
  const step = Math.sqrt(10)
  return bin < EDGES.length ? EDGES[bin]! / Math.sqrt(step) : EDGES.at(-1)! * Math.sqrt(step)
}

/** @internal exported for its property tests */
function logRatios(honest: readonly number[], other: readonly number[]): number[] {
  const ratios: number[] = []
  let highest = 0
  for (let outcome = 0; outcome < OUTCOMES; outcome++) {
    // A margin below its gap does not exist.
    if (honest[outcome]! > 0) highest = Math.max(highest, other[outcome]! / honest[outcome]!)
    ratios.push(highest)
  }
  const expected = honest.reduce((sum, probability, outcome) => sum + probability * ratios[outcome]!, 0)
  return ratios.map((ratio) => Math.log(ratio / expected))
}
