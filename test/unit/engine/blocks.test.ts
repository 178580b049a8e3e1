import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { blocksOf, partAt, reusableTokens } from '../../../node/engine/llama/blocks.ts'

const OPENING = [1, 2]
const END = 3
const marks = { opening: OPENING, isEnd: (token: number) => token === END }
const text = (length: number): number[] => Array.from({ length }, () => 9)

/** The first turn of a conversation, its answer, and the next turn. */
function turns(prompt: number, answer: number, message: number): { first: number[]; next: number[] } {
  const first = [...text(prompt - OPENING.length), ...OPENING]
  return { first, next: [...first, ...text(answer), END, ...text(message), ...OPENING] }
}

describe('the blocks of a prompt', () => {
  it('are all whole blocks, if the prompt contains no answer', () => {
    expect(blocksOf(text(63), marks)).toEqual([])
    expect(blocksOf(text(64), marks)).toEqual([0])
    expect(blocksOf(text(200), marks)).toEqual([0, 64, 128])
    expect(blocksOf(text(200), { ...marks, opening: [] })).toEqual([0, 64, 128])
  })

  it('are not in an answer, and begin again after it', () => {
    const { first, next } = turns(150, 300, 100)
    expect(blocksOf(first, marks)).toEqual([0, 64])
    expect(blocksOf(next, marks)).toEqual([0, 64, 450])
  })

  it('are not after an answer without an end', () => {
    expect(blocksOf([...text(64), ...OPENING, ...text(500)], marks)).toEqual([0])
  })
})

describe('the cached tokens that a prompt can reuse', () => {
  it('are all tokens of the last turn and of its answer', () => {
    const lengths = fc.tuple(fc.nat(300), fc.nat(300), fc.nat(300))
    fc.assert(
      fc.property(lengths, ([prompt, answer, message]) => {
        const { first, next } = turns(prompt + OPENING.length, answer, message)
        const cached = first.length + answer
        expect(reusableTokens(blocksOf(first, marks), blocksOf(next, marks), cached)).toBe(cached)
      })
    )
  })

  it('end where the cached tokens were evaluated in another way', () => {
    // A completion of 100 tokens and its answer, as the beginning of a longer prompt.
    expect(reusableTokens([0], [0, 64, 128], 150)).toBe(64)
    // A longer prompt, as the cache of its beginning.
    expect(reusableTokens([0, 64, 128], [0], 100)).toBe(64)
    // A block that is only partly common.
    expect(reusableTokens([0, 64], [0, 64], 100)).toBe(64)
    expect(reusableTokens([0, 64], [0, 64], 128)).toBe(128)
    expect(reusableTokens([], [], 50)).toBe(50)
  })
})

describe('the parts of a prompt', () => {
  it('are blocks in a row, and the tokens between blocks in slices that are smaller than a block', () => {
    const blocks = [0, 64, 200]
    expect(partAt(blocks, 0, 300)).toEqual({ tokens: 128, step: 64 })
    expect(partAt(blocks, 64, 300)).toEqual({ tokens: 64, step: 64 })
    expect(partAt(blocks, 128, 300)).toEqual({ tokens: 60, step: 1 })
    expect(partAt(blocks, 188, 300)).toEqual({ tokens: 12, step: 1 })
    expect(partAt(blocks, 264, 327)).toEqual({ tokens: 63, step: 1 })
    expect(partAt([], 0, 10)).toEqual({ tokens: 10, step: 1 })
  })

  it('is one part, if any slices give the same logits', () => {
    expect(partAt(undefined, 7, 1000)).toEqual({ tokens: 993, step: 1 })
  })
})
