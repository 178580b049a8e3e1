/** From what an audit measured to evidence. */
import { tokensDigest, type AnswerRecord, type TokenMargin } from '@potluck/protocol'

import { BINS, cellOf, OUTCOMES, type Cells } from './bins.ts'
import { MAX_REMEMBERED_MISMATCHES } from './constants.ts'
import { withAnswer, type Evidence } from './evidence.ts'

type Tokens = Pick<AnswerRecord, 'promptTokens' | 'answerTokens'>

/**
 * The evidence after one more audit.
 *
 * A mismatch counts once for what came before it, whatever the seed: two honest machines differ in
 * the logits behind one context in the same way every time, so that asking again shows nothing new.
 * Otherwise a program that asks one question every minute, or a slanderer, would convict anybody.
 */
export function withAudit(evidence: Evidence, tokens: Tokens, measured: readonly TokenMargin[]): Evidence {
  const { cells, mismatches } = countCells(tokens, measured, new Set(evidence.mismatches ?? []))
  return withCells(evidence, cells, mismatches)
}

/** With what `countCells` gave. */
export function withCells(evidence: Evidence, cells: Cells, mismatches: readonly string[]): Evidence {
  return {
    ...withAnswer(evidence, cells),
    mismatches: [...(evidence.mismatches ?? []), ...mismatches].slice(-MAX_REMEMBERED_MISMATCHES)
  }
}

/**
 * @param measured for the last tokens of the answer, those that the node generated
 * @param known mismatches that counted before
 */
export function countCells(
  { promptTokens, answerTokens }: Tokens,
  measured: readonly TokenMargin[],
  known: ReadonlySet<string> = new Set()
): { cells: Cells; mismatches: string[] } {
  const cells = new Array<number>(BINS * OUTCOMES).fill(0)
  const mismatches: string[] = []
  const first = answerTokens.length - measured.length
  measured.forEach(({ gap, margin }, index) => {
    if (margin > 0) {
      const context = contextName([...promptTokens, ...answerTokens.slice(0, first + index)])
      if (known.has(context) || mismatches.includes(context)) return
      mismatches.push(context)
    }
    cells[cellOf(gap, margin)]!++
  })
  return { cells, mismatches }
}

/** 64 bits of the ids' hash. Who finds another context of that name has one mismatch less counted. */
function contextName(tokens: readonly number[]): string {
  return Array.from(tokensDigest(tokens).subarray(0, 8), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
