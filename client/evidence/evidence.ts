/**
 * Evidence against one peer: an e-process over its audited answers. Pure.
 *
 * Several tests bet against the honesty of the peer. Each test has an alternative (how the peer
 * computes instead), a share of cheated answers, and the answer at which the cheating begins. A test
 * that begins at answer n holds 1 before n. From n on, every answer multiplies it by
 * (1 - share) + share * ratio. The evidence is the weighted mean of all tests. The weights 1 / (n (n + 1))
 * over the beginnings ensure that a long honest past does not buy the right to cheat. For an honest peer
 * the expectation of the evidence never exceeds 1, so by Ville's inequality the evidence reaches E within
 * the peer's lifetime with a probability below 1 / E.
 * (Shafer, "Testing by betting", 2021; Ramdas et al., "Game-theoretic statistics and safe anytime-valid
 * inference", 2023.)
 */
import type { Cells } from './bins.ts'
import { ALTERNATIVES, BAN, CHEATED_SHARES, QUARANTINE } from './constants.ts'
import { LOG_RATIOS } from './likelihood.ts'

/** Kept for each (peer, model digest). Plain data: a store can write it as JSON. */
export interface Evidence {
  /** Answers and tokens that were audited. */
  answers: number
  tokens: number
  /** Natural logarithms of the tests that have begun, by alternative and share. After one answer all are finite. */
  tests: readonly number[]
  /** The highest natural logarithm of the evidence so far. */
  peak: number
  /** Names of the contexts of the mismatches so far, newest last; see `newCells`. */
  mismatches?: readonly string[]
}

/** `banned` is permanent. `quarantined` lasts as long as the evidence is above the limit. */
export type Verdict = 'clear' | 'quarantined' | 'banned'

export const NO_EVIDENCE: Evidence = { answers: 0, tokens: 0, tests: [], peak: 0 }

/** Natural logarithm of the likelihood ratio of an answer, by alternative. The order of the tokens does not matter. */
export function answerRatios(cells: Cells): number[] {
  return LOG_RATIOS.map((ratios) =>
    cells.reduce((sum, count, cell) => (count > 0 ? sum + count * ratios[cell]! : sum), 0)
  )
}

/** Natural logarithm of the evidence of a single answer. */
export function answerEvidence(cells: Cells): number {
  const ratios = answerRatios(cells)
  return ratios.reduce(addLogs) - Math.log(ratios.length)
}

/** Returns the evidence after one more answer. */
export function withAnswer(evidence: Evidence, cells: Cells): Evidence {
  const answers = evidence.answers + 1
  const begins = -Math.log(answers * (answers + 1))
  const tests = answerRatios(cells).flatMap((ratio, alternative) =>
    CHEATED_SHARES.map(({ share }, index) => {
      const before = evidence.tests[alternative * CHEATED_SHARES.length + index] ?? -Infinity
      return addLogs(before, begins) + addLogs(Math.log(1 - share), Math.log(share) + ratio)
    })
  )
  const after = { answers, tokens: evidence.tokens + cells.reduce((sum, count) => sum + count, 0), tests }
  return { ...evidence, ...after, peak: Math.max(evidence.peak, logEvidence(after)) }
}

/** Natural logarithm of the current evidence. */
export function logEvidence({ answers, tests }: Pick<Evidence, 'answers' | 'tests'>): number {
  // The tests that begin later hold 1, times the sum of their weights.
  const yetToBegin = -Math.log(answers + 1)
  if (tests.length === 0) return yetToBegin
  const stakes = tests.map((test, index) => test + Math.log(CHEATED_SHARES[index % CHEATED_SHARES.length]!.stake))
  return addLogs(stakes.reduce(addLogs) - Math.log(ALTERNATIVES.length), yetToBegin)
}

export function verdict(evidence: Evidence): Verdict {
  if (evidence.peak >= Math.log(BAN)) return 'banned'
  return logEvidence(evidence) >= Math.log(QUARANTINE) ? 'quarantined' : 'clear'
}

/** Beyond this a smaller chance means nothing to a person: machines fail more often. */
const SMALLEST_CHANCE_DECADES = 12

/**
 * States evidence for people: an upper bound of the chance that an honest peer ever looks this bad, for
 * example "1 in 45" or "1 in 10^12". Undefined where the evidence does not speak against the peer.
 */
export function chanceOfMistake(logOdds: number): string | undefined {
  const odds = Math.exp(logOdds)
  if (odds < 2) return undefined
  const decades = Math.min(Math.floor(logOdds / Math.LN10), SMALLEST_CHANCE_DECADES)
  return decades < 6 ? `1 in ${Math.round(odds).toLocaleString('en')}` : `1 in 10^${decades}`
}

/** ln(e^a + e^b). */
function addLogs(a: number, b: number): number {
  const high = Math.max(a, b)
  return high === -Infinity ? high : high + Math.log1p(Math.exp(Math.min(a, b) - high))
}
