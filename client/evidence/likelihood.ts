/**
 * The weight of one token: for each alternative, the likelihood ratio of a cell (alternative to honest)
 * within its row.
 *
 * Within a row a ratio never falls as the margin grows, and its expectation under the honest histogram
 * is 1. So for every peer whose margins are stochastically smaller than the histogram's, the expectation
 * is at most 1, whatever came before. Products of these ratios are bets that an honest peer rarely loses.
 * Each row is tested separately, so it does not matter who chose the prompt and the seed: at a near tie,
 * which an attacker can search for, a mismatch weighs almost nothing.
 */
import { BINS, EDGES, OUTCOMES } from './bins.ts'
import { ALTERNATIVES, BEYOND_RUNNER_UP, type Alternative } from './constants.ts'
import { HONEST } from './honest.ts'

/** Natural logarithms, by alternative and cell. */
export const LOG_RATIOS: readonly (readonly number[])[] = ALTERNATIVES.map((alternative) =>
  HONEST.flatMap((honest, gap) => bets(honest, gap, alternative).map(Math.log))
)

/**
 * Uses the likelihood ratio at `share` of the positions and 1 at the others. The noise of a cheating
 * node is not the same everywhere, so an exact token that the alternative does not expect costs little.
 */
function bets(honest: readonly number[], gap: number, { scale, share }: Alternative): number[] {
  return ratios(honest, outcomes(gap, scale)).map((ratio) => 1 - share + share * ratio)
}

/** Probabilities of the outcomes of a row under this noise. */
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

/** Adjacent outcomes, with the sums of their probabilities. */
interface Block {
  outcomes: number
  honest: number
  other: number
}

/**
 * The likelihood ratios of a row. Adjacent outcomes whose ratios would fall share one ratio. Of all
 * ratios that never fall with the margin, these grow fastest under the alternative. (Isotonic regression
 * by pooling adjacent violators: Ayer et al., 1955.) Their expectation under the honest histogram is 1.
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

/** Both probabilities are 0 for a margin below the gap, which cannot occur. */
function isHigher(block: Block, before: Block): boolean {
  return block.honest > 0 && block.other * before.honest > before.other * block.honest
}
