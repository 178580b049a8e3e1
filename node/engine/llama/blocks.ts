/**
 * The blocks of a prompt: the tokens that llama.cpp's attention evaluates in tiles.
 *
 * With equal types of keys and values, llama.cpp evaluates 64 or more tokens of a sequence in tiles, and fewer tokens
 * one by one (`ops.cpp`: `use_tiled`). Tiles are faster, and round differently. How a token is rounded depends only on
 * which of the two ways it takes. So the same tokens must take the same way on every node, in every slice, and in every
 * cached prefix.
 *
 * The rule: an answer of the model is evaluated one by one, because the node that generated it could not do otherwise.
 * So the cached tokens of a conversation stay valid in its next turn. Between two answers, all tokens are in blocks of
 * 64, except the last 0 to 63 tokens. The rule looks at token ids only, so an auditor and a node that continues an
 * answer find the same blocks.
 *
 * Measured with crumb and a 0.5B Q4_0 model: the logits have the same bits for blocks that are evaluated alone, in
 * slices of 64 to 512 tokens, and beside blocks of other sequences. They differ if a block shares its evaluation with
 * fewer than 64 tokens of another sequence, because llama.cpp then cuts the block.
 */
import { BLOCK_TOKENS, KERNEL_ROWS } from '../constants.ts'
import type { Part } from './internals/pace.ts'

/** How a model's template marks the answers in a prompt. */
export interface AnswerMarks {
  /** The tokens before each answer. Empty: the template marks no answers. */
  opening: readonly number[]
  /** Whether an answer ends before this token. */
  isEnd: (token: number) => boolean
}

/** The largest slice outside blocks, if a longer part must be cut: a multiple of `KERNEL_ROWS` below `BLOCK_TOKENS`. */
const SLICE_OUTSIDE: number = BLOCK_TOKENS - KERNEL_ROWS

/** Returns the index of the first token of each block, ascending. */
export function blocksOf(prompt: readonly number[], { opening, isEnd }: AnswerMarks): number[] {
  const blocks: number[] = []
  for (let start = 0; start < prompt.length;) {
    const end = endOfNext(opening, prompt, start)
    for (; start + BLOCK_TOKENS <= end; start += BLOCK_TOKENS) blocks.push(start)
    start = end
    while (start < prompt.length && !isEnd(prompt[start]!)) start++
  }
  return blocks
}

/** Returns the index after the next opening; the length of the prompt if there is none. */
function endOfNext(opening: readonly number[], prompt: readonly number[], from: number): number {
  if (opening.length === 0) return prompt.length
  for (let end = from + opening.length; end <= prompt.length; end++) {
    if (opening.every((token, index) => prompt[end - opening.length + index] === token)) return end
  }
  return prompt.length
}

/**
 * Returns how many cached tokens were evaluated as the new blocks demand.
 *
 * @param cached the blocks of the cached tokens
 * @param common the number of tokens that the cache and the new tokens have in common
 */
export function reusableTokens(cached: readonly number[], blocks: readonly number[], common: number): number {
  let same = 0
  while (same < blocks.length && cached[same] === blocks[same] && blocks[same]! + BLOCK_TOKENS <= common) same++
  return Math.min(common, cached[same] ?? common, blocks[same] ?? common)
}

/**
 * Returns the part that begins at a token.
 *
 * @param blocks undefined: the logits do not depend on the slices, so all tokens are one part
 * @param at not inside a block
 * @param end the number of all tokens
 */
export function partAt(blocks: readonly number[] | undefined, at: number, end: number): Part {
  if (blocks === undefined) return { tokens: end - at, step: 1 }
  const index = blocks.findIndex((block) => block >= at)
  const next = index < 0 ? end : blocks[index]!
  if (next > at) return { tokens: next - at < BLOCK_TOKENS ? next - at : SLICE_OUTSIDE, step: 1 }
  let tokens = BLOCK_TOKENS
  while (blocks[index + tokens / BLOCK_TOKENS] === at + tokens) tokens += BLOCK_TOKENS
  return { tokens, step: BLOCK_TOKENS }
}
