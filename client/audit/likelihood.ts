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
import { ALTERNATIVES, BEYOND_RUNNER_UP, type Alternative } from './constants.ts'
import { HONEST } from './honest.ts'

/** Natural logarithms, by alternative and cell. */
export const LOG_RATIOS: readonly (readonly number[])[] = ALTERNATIVES.map((alternative) =>
  HONEST.flatMap((honest, gap) => bets(honest, gap, alternative).map(Math.log))
)

/**
 * At this share of the positions the likelihood ratio, at the others 1: so an exact token where the
 * alternative expects none costs little, as a cheat's noise is not the same everywhere.
 */
function bets(honest: readonly number[], gap: number, { scale, share }: Alternative): number[] {
  return ratios(honest, outcomes(gap, scale)).map((ratio) => 1 - share + share * ratio)
}

/** Probabilities of the outcomes in a row under this noise. */
function outcomes(gap: number, scale: number): number[] {
  const atLeast = (bin: number): number => (bin >= BINS ? 0 : 1 / (1 + Math.exp(sizeOf(bin) / scale)))
  const missed = atLeast(gap)
  const bins = Array.from({ length: BINS }, (_, bin) => {
    if (bin < gap) return 0
    if (bin === gap) return gap === BINS - 1 ? missed : missed * (1 - BEYOND_RUNNER_UP)
    return (missed * BEYOND_RUNNER_UP * (atLeast(bin) - atLeast(bin + 1))) / atLeast(gap + 1)
  })
  return [1 - missed, ...bins]
}

/** The middle of a bin, on a logarithmic scale. */
function sizeOf(bin: number): number {
  const step = Math.sqrt(10)
  return bin < EDGES.length ? EDGES[bin]! / Math.sqrt(step) : EDGES.at(-1)! * Math.sqrt(step)
}

/** Outcomes that lie next to each other, with their probabilities. */
interface Block {
  outcomes: number
  honest: number
  other: number
}

/**
 * The likelihood ratios, one for all outcomes among which they would fall: of all that never fall with
 * the margin, those that grow fastest under the alternative. (Isotonic regression by pooling adjacent
 * violators: Ayer et al., 1955.) Their expectation under the honest histogram is 1.
 */
function ratios(honest: readonly number[], other: readonly number[]): number[] {
  const blocks: Block[] = []
  for (let outcome = 0; outcome < OUTCOMES; outcome++) {
    let block: Block = { outcomes: 1, honest: honest[outcome]!, other: other[outcome]! }
    for (let last = blocks.at(-1); last !== undefined && !isHigher(block, last); last = blocks.at(-1)) {
      blocks.pop()
      block = {
        outcomes: last.outcomes + block.outcomes,
        honest: last.honest + block.honest,
        other: last.other + block.other
      }
    }
    blocks.push(block)
  }
  return blocks.flatMap(({ outcomes: count, honest: h, other: o }) => Array.from({ length: count }, () => o / h))
}

/** A margin below its gap does not exist: both probabilities are 0 then. */
function isHigher(block: Block, before: Block): boolean {
  return block.honest > 0 && block.other * before.honest > before.other * block.honest
}
