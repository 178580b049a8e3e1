/** Adds the tokens that an audit measured to the evidence. */
import {
  distancesOf,
  tokensDigest,
  windowsOf,
  type AnswerRecord,
  type Audit,
  type TokenMargin,
  type Window
} from '@potluck/protocol'
import { toHex } from 'multiformats/bytes'

import { cellOf, CELLS, windowCell, type Cells } from './bins.ts'
import { MAX_REMEMBERED_MISMATCHES } from './constants.ts'
import { withAnswer, type Evidence } from './evidence.ts'
import { excusesOf, relativeNoise } from './noise.ts'

/** An answer as the node signed it. */
type Signed = Pick<AnswerRecord, 'promptTokens' | 'answerTokens' | 'fingerprints'>
/** What an auditor measured. */
type Measured = Pick<Audit, 'measured' | 'fingerprints' | 'noise'>

/** The tokens and windows of one answer, counted. */
export interface Counted {
  cells: Cells
  /** The tokens and windows that did not match, with the name of the context of each. */
  mismatches: readonly { context: string; cell: number }[]
}

/** Returns the evidence after one more audited answer. `most`: see `withAnswer`. */
export function withAudit(evidence: Evidence, signed: Signed, measured: Measured, most?: number): Evidence {
  return withCounted(evidence, countAnswer(signed, measured), most)
}

/** @param audit of the last tokens of the answer, which this node generated */
export function countAnswer(signed: Signed, { measured, fingerprints, noise }: Measured): Counted {
  return countMeasured(signed, measured, distancesOf(signed.fingerprints, fingerprints), noise)
}

/** As `countAnswer`, with the distances of its fingerprints. */
export function countMeasured(
  { promptTokens, answerTokens }: Pick<Signed, 'promptTokens' | 'answerTokens'>,
  margins: readonly TokenMargin[],
  distances: readonly (number | undefined)[],
  noise?: number
): Counted {
  const relative = relativeNoise(noise)
  // Without a gap, the position says nothing: it has one candidate, or the temperature is high (see `measureInSlices`).
  const counted = distances.map((distance, index) => (margins[index]!.gap === Infinity ? undefined : distance))
  const inLogits = windowsOf(counted)
  const excuses = excusesOf(counted, inLogits, relative)
  const windows = inLogits.map((window) => ({ ...window, distance: window.distance / relative }))
  const measured = margins.map(({ gap, margin }, index) => {
    const excuse = excuses[index] ?? relative
    return { gap: gap / excuse, margin: margin / excuse }
  })
  const mismatches: Counted['mismatches'][number][] = []
  const first = answerTokens.length - measured.length
  measured.forEach(({ gap, margin }, index) => {
    if (margin === 0) return
    const context = contextName([...promptTokens, ...answerTokens.slice(0, first + index)])
    mismatches.push({ context, cell: cellOf(gap, margin) })
  })
  for (const [index, { end, distance }] of windows.entries()) {
    const cell = windowCell(distance, index)
    if (cell === windowCell(0, index)) continue
    const context = `w${contextName([...promptTokens, ...answerTokens.slice(0, first + end)])}`
    mismatches.push({ context, cell })
  }
  return { cells: cellsOf(measured, windows), mismatches }
}

/** Counts how many tokens and windows are in each cell. */
export function cellsOf(measured: readonly TokenMargin[], windows: readonly Window[] = []): Cells {
  const cells = Array.from({ length: CELLS }, () => 0)
  for (const [index, { distance }] of windows.entries()) cells[windowCell(distance, index)]!++
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
