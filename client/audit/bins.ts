/**
 * Cells: what an audit remembers of one token. A row for how close its position was (the gap), a
 * column for how far off the claim is (the margin); see `tokenMargin` of the protocol.
 */

/** Upper edges in logits, half a decade each; beyond the last, or outside the candidates, is a bin too. */
export const EDGES: readonly number[] = [0.003, 0.01, 0.03, 0.1, 0.3, 1, 3]
export const BINS: number = EDGES.length + 1
/** Exact, or one of the bins. */
export const OUTCOMES: number = BINS + 1

/** How many tokens of an answer fell into each cell, row by row. */
export type Cells = readonly number[]

/** @param size above zero, in logits */
function binOf(size: number): number {
  const bin = EDGES.findIndex((edge) => size <= edge)
  return bin === -1 ? EDGES.length : bin
}

/** Place in `Cells`. */
export function cellOf(gap: number, margin: number): number {
  return binOf(gap) * OUTCOMES + (margin === 0 ? 0 : 1 + binOf(margin))
}
