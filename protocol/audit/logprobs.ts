/**
 * Checks the log-probabilities of an answer. Their form and the bytes of their tokens are exact. Their values differ a
 * little between honest machines, as the logits do.
 */
import { equals } from 'uint8arrays/equals'

import type { PositionLogprobs, TokenLogprob } from '../generation.ts'
import type { ScoredPosition } from './scorer.ts'
import type { VerifiedAnswer } from '../records/verified-answer.ts'

/**
 * A false statement that does not prove fraud, because the noise of an honest machine could explain it in rare cases.
 *
 * - `logprobs`: at some position, the probabilities are far from the model's
 */
export type Misstatement = 'logprobs'

/**
 * The largest difference of the probabilities at one position: twice the largest between honest machines, 0.21 in 8,356
 * positions of the model crumb, compared between six ways to compute them (99.9 % of the positions: below 0.07).
 */
const PROBABILITY_TOLERANCE = 0.4
/**
 * If the median of the differences of all log-probabilities of an answer is larger, they are not those of the model.
 * Between honest machines the median was at most 0.11. With weights of 4 bits in place of 8 it was 0.8.
 */
const LOGPROB_MEDIAN_TOLERANCE = 0.5
/** Values from which a median counts. With fewer, one unusual position could decide. */
const LOGPROB_MEDIAN_VALUES = 32

/** Returns every entry, in order: at each position the chosen token, then the alternatives. */
export function entriesOf(logprobs: readonly PositionLogprobs[]): TokenLogprob[] {
  return logprobs.flatMap(({ chosen, top }) => [chosen, ...top])
}

/**
 * Returns whether an honest node can send log-probabilities of this form.
 *
 * @param spelt the bytes of the tokens of `entriesOf`; undefined if the model lacks one of these tokens
 */
export function areWellFormed(
  logprobs: readonly PositionLogprobs[],
  { request, receipt, answerTokens }: VerifiedAnswer,
  spelt: readonly Uint8Array[] | undefined
): boolean {
  const { topLogprobs = 0 } = request
  return (
    spelt !== undefined &&
    entriesOf(logprobs).every(({ bytes }, index) => equals(bytes, spelt[index]!)) &&
    logprobs.every(({ chosen, top }, index) => {
      const listed = top.find(({ token }) => token === chosen.token)
      return (
        chosen.token === answerTokens[receipt.firstPosition + index] &&
        top.length <= topLogprobs &&
        new Set(top.map(({ token }) => token)).size === top.length &&
        top.every(({ logprob }, rank) => rank === 0 || logprob <= top[rank - 1]!.logprob) &&
        (listed === undefined || listed.logprob === chosen.logprob)
      )
    })
  )
}

/** How far the log-probabilities are from those of the auditor. */
export interface LogprobErrors {
  /** Of each value, in natural logarithms. */
  values: readonly number[]
  /** Of each position, in probability: 0 to 1. */
  positions: readonly number[]
}

/**
 * Compares the chosen token's value and those of the alternatives. Compares an alternative with the auditor's value of
 * the same token, and with the value of the same rank, because a node could leave out the most probable token.
 *
 * @param scores with `logNormaliser`
 */
export function compareLogprobs(
  logprobs: readonly PositionLogprobs[],
  scores: readonly ScoredPosition[]
): LogprobErrors {
  const values: number[] = []
  const positions = logprobs.map(({ chosen, top }, position) => {
    const { tokens, logits, logNormaliser = Number.NaN } = scores[position]!
    // A grammar can allow fewer tokens than the node lists. The others have no probability.
    const ofRank = (rank: number): number => (rank < tokens.length ? logits[rank]! - logNormaliser : -Infinity)
    const ofToken = ({ token, logprob }: TokenLogprob): number => {
      const rank = tokens.indexOf(token)
      // The auditor knows only the best candidates. All others are below the last of them.
      return rank === -1 ? Math.min(logprob, ofRank(tokens.length - 1)) : ofRank(rank)
    }
    const byToken = top.map((entry) => [entry.logprob, ofToken(entry)] as const)
    const byRank = top.map(({ logprob }, rank) => [logprob, ofRank(rank)] as const)
    const ofChosen = [chosen.logprob, ofToken(chosen)] as const
    values.push(inLogs(ofChosen), ...byToken.map((pair, rank) => Math.max(inLogs(pair), inLogs(byRank[rank]!))))
    return Math.max(inProbability([ofChosen]), inProbability(byToken) / 2, inProbability(byRank) / 2)
  })
  return { values, positions }
}

/** Whether so many values are far from the model's that noise cannot explain it. */
export function areFromAnotherModel({ values }: LogprobErrors): boolean {
  const median = values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
  return values.length >= LOGPROB_MEDIAN_VALUES && median > LOGPROB_MEDIAN_TOLERANCE
}

export function misstatementsOf({ positions }: LogprobErrors): Misstatement[] {
  return positions.some((error) => error > PROBABILITY_TOLERANCE) ? ['logprobs'] : []
}

type Pair = readonly [sent: number, own: number]

function inLogs([sent, own]: Pair): number {
  return Math.abs(sent - own)
}

function inProbability(pairs: readonly Pair[]): number {
  return pairs.reduce((sum, [sent, own]) => sum + Math.abs(Math.exp(sent) - Math.exp(own)), 0)
}
