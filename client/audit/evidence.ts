/**
 * Evidence against one peer: an e-process over its audited answers. Pure.
 *
 * Each of several tests bets against the peer's honesty: for an alternative (how it computes
 * instead), a share of answers in which it does, and an answer at which it begins. A test that
 * begins at answer n holds 1 before, and is multiplied by (1 - share) + share * ratio with every
 * answer from n on. The evidence is their weighted mean: with weights of 1 / (n (n + 1)) for the
 * beginnings, no honest past buys a peer the right to cheat. Under honesty its expectation never
 * exceeds 1, so by Ville's inequality it reaches E in a lifetime with a probability below 1 / E.
 * (Shafer, "Testing by betting", 2021; Ramdas et al., "Game-theoretic statistics and safe anytime-valid
 * inference", 2023.)
 */
import { ALTERNATIVES, CHEATED_SHARES, BAN, QUARANTINE } from './constants.ts'
import type { Cells } from './bins.ts'
import { LOG_RATIOS } from './likelihood.ts'

/** Kept for each (peer, model digest). Plain data: it may be stored as JSON. */
export interface Evidence {
  /** Answers and tokens that were audited. */
  answers: number
  tokens: number
  /** Natural logarithms of the tests that have begun, by alternative and share; -Infinity cannot occur after an answer. */
  tests: readonly number[]
  /** The highest natural logarithm of the evidence so far. */
  peak: number
  /** Where tokens did not match, newest last: see `withAudit`. */
  mismatches?: readonly string[]
}

/**
 * `banned` stays for good; `quarantined` lasts while the evidence does.
 */
export type Standing = 'clear' | 'quarantined' | 'banned'

export const NO_EVIDENCE: Evidence = { answers: 0, tokens: 0, tests: [], peak: 0 }

/** Natural logarithm of an answer's likelihood ratio, by alternative. The order of its tokens does not matter. */
export function answerRatios(cells: Cells): number[] {
  return LOG_RATIOS.map((ratios) =>
    cells.reduce((sum, count, cell) => (count > 0 ? sum + count * ratios[cell]! : sum), 0)
  )
}

/** Natural logarithm of the evidence of one answer by itself. */
export function answerEvidence(cells: Cells): number {
  const ratios = answerRatios(cells)
  return ratios.reduce(addLogs) - Math.log(ratios.length)
}

/** The evidence after one more answer. */
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

/** Natural logarithm of the evidence as it stands. */
export function logEvidence({ answers, tests }: Pick<Evidence, 'answers' | 'tests'>): number {
  // Tests that begin later hold 1, and the sum of their weights.
  const yetToBegin = -Math.log(answers + 1)
  if (tests.length === 0) return yetToBegin
  const stakes = tests.map((test, index) => test + Math.log(CHEATED_SHARES[index % CHEATED_SHARES.length]!.stake))
  return addLogs(stakes.reduce(addLogs) - Math.log(ALTERNATIVES.length), yetToBegin)
}

export function standing(evidence: Evidence): Standing {
  if (evidence.peak >= Math.log(BAN)) return 'banned'
  return logEvidence(evidence) >= Math.log(QUARANTINE) ? 'quarantined' : 'clear'
}

/** ln(e^a + e^b). */
function addLogs(a: number, b: number): number {
  const high = Math.max(a, b)
  return high === -Infinity ? high : high + Math.log1p(Math.exp(Math.min(a, b) - high))
}
