/**
 * Cells: what an audit keeps of one token. The row is the gap of the position: how far the second best token is from
 * the expected token. The column is the margin: how far the token in the answer is from the expected one, 0 if it is
 * the same. See `tokenMargin` of the protocol.
 */

/**
 * Upper edges of the bins, in logits: two bins for each factor of 10. One more bin holds everything above the
 * last edge, and tokens that are not candidates.
 */
export const EDGES: readonly number[] = [0.003, 0.01, 0.03, 0.1, 0.3, 1, 3]
export const BINS: number = EDGES.length + 1
/** An exact token, or one of the bins. */
export const OUTCOMES: number = BINS + 1

/** How many tokens of an answer are in each cell, row by row. */
export type Cells = readonly number[]

/** @param size above zero, in logits */
function binOf(size: number): number {
  const bin = EDGES.findIndex((edge) => size <= edge)
  return bin === -1 ? EDGES.length : bin
}

/** Returns the index in `Cells`. */
export function cellOf(gap: number, margin: number): number {
  return binOf(gap) * OUTCOMES + (margin === 0 ? 0 : 1 + binOf(margin))
}
