/** Adds the tokens that an audit measured to the evidence. */
import { tokensDigest, type AnswerRecord, type TokenMargin } from '@potluck/protocol'
import { toHex } from 'multiformats/bytes'

import { BINS, cellOf, OUTCOMES, type Cells } from './bins.ts'
import { MAX_REMEMBERED_MISMATCHES } from './constants.ts'
import { withAnswer, type Evidence } from './evidence.ts'

type Tokens = Pick<AnswerRecord, 'promptTokens' | 'answerTokens'>

/** The tokens of one answer, counted. */
export interface Counted {
  cells: Cells
  /** The tokens that did not match, with the name of the context before each. */
  mismatches: readonly { context: string; cell: number }[]
}

/** Returns the evidence after one more audited answer. `most`: see `withAnswer`. */
export function withAudit(
  evidence: Evidence,
  tokens: Tokens,
  measured: readonly TokenMargin[],
  most?: number
): Evidence {
  return withCounted(evidence, countTokens(tokens, measured), most)
}

/** @param measured for the last tokens of the answer, which this node generated */
export function countTokens({ promptTokens, answerTokens }: Tokens, measured: readonly TokenMargin[]): Counted {
  const mismatches: Counted['mismatches'][number][] = []
  const first = answerTokens.length - measured.length
  measured.forEach(({ gap, margin }, index) => {
    if (margin === 0) return
    const context = contextName([...promptTokens, ...answerTokens.slice(0, first + index)])
    mismatches.push({ context, cell: cellOf(gap, margin) })
  })
  return { cells: cellsOf(measured), mismatches }
}

/** Counts how many tokens are in each cell. */
export function cellsOf(measured: readonly TokenMargin[]): Cells {
  const cells = Array.from({ length: BINS * OUTCOMES }, () => 0)
  for (const { gap, margin } of measured) cells[cellOf(gap, margin)]!++
  return cells
}

/**
 * Returns the cells without the mismatches that are already in the evidence. A mismatch counts once for
 * its context (the tokens before it), whatever the seed. Two honest machines compute slightly different
 * logits after the same context, and the difference is the same every time. So a repeated question shows
 * nothing new. If every repetition counted, a program that asks one question every minute would ban honest
 * peers, and an attacker could do so on purpose.
 */
export function newCells(evidence: Evidence, { cells, mismatches }: Counted): Cells {
  const known = new Set(evidence.mismatches)
  const left = [...cells]
  for (const { context, cell } of mismatches) if (known.has(context)) left[cell]!--
  return left
}

/** Returns the evidence after one more counted answer. */
export function withCounted(evidence: Evidence, counted: Counted, most?: number): Evidence {
  const known = new Set([...(evidence.mismatches ?? []), ...counted.mismatches.map(({ context }) => context)])
  return {
    ...withAnswer(evidence, newCells(evidence, counted), most),
    mismatches: [...known].slice(-MAX_REMEMBERED_MISMATCHES)
  }
}

/** Returns the first 64 bits of the hash of the token ids. A peer that finds a collision hides one mismatch. */
function contextName(tokens: readonly number[]): string {
  return toHex(tokensDigest(tokens).subarray(0, 8))
}
