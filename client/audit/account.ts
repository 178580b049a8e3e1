/** From what an audit measured to evidence. */
import { tokensDigest, type AnswerRecord, type TokenMargin } from '@potluck/protocol'

import { BINS, cellOf, OUTCOMES, type Cells } from './bins.ts'
import { MAX_REMEMBERED_MISMATCHES } from './constants.ts'
import { withAnswer, type Evidence } from './evidence.ts'

type Tokens = Pick<AnswerRecord, 'promptTokens' | 'answerTokens'>

/** An answer's tokens, counted. */
export interface Counted {
  cells: Cells
  /** Those that did not match, by what came before them. */
  mismatches: readonly { context: string; cell: number }[]
}

/** The evidence after one more audit. */
export function withAudit(evidence: Evidence, tokens: Tokens, measured: readonly TokenMargin[]): Evidence {
  return withCounted(evidence, countTokens(tokens, measured))
}

/** @param measured for the last tokens of the answer, those that the node generated */
export function countTokens({ promptTokens, answerTokens }: Tokens, measured: readonly TokenMargin[]): Counted {
  const cells = Array.from({ length: BINS * OUTCOMES }, () => 0)
  const mismatches: Counted['mismatches'][number][] = []
  const first = answerTokens.length - measured.length
  measured.forEach(({ gap, margin }, index) => {
    const cell = cellOf(gap, margin)
    cells[cell]!++
    if (margin === 0) return
    mismatches.push({ context: contextName([...promptTokens, ...answerTokens.slice(0, first + index)]), cell })
  })
  return { cells, mismatches }
}

/**
 * A mismatch counts once for what came before it, whatever the seed: two honest machines differ in
 * the logits behind one context in the same way every time, so that asking again shows nothing new.
 * Otherwise a program that asks one question every minute, or a slanderer, would ban anybody.
 */
export function newCells(evidence: Evidence, { cells, mismatches }: Counted): Cells {
  const known = new Set(evidence.mismatches)
  const left = [...cells]
  for (const { context, cell } of mismatches) if (known.has(context)) left[cell]!--
  return left
}

/** The evidence after one more answer. */
export function withCounted(evidence: Evidence, counted: Counted): Evidence {
  const known = new Set([...(evidence.mismatches ?? []), ...counted.mismatches.map(({ context }) => context)])
  return {
    ...withAnswer(evidence, newCells(evidence, counted)),
    mismatches: [...known].slice(-MAX_REMEMBERED_MISMATCHES)
  }
}

/** 64 bits of the ids' hash. Who finds another context of that name has one mismatch less counted. */
function contextName(tokens: readonly number[]): string {
  return Array.from(tokensDigest(tokens).subarray(0, 8), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
