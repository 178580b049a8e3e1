import { describe, expect, it } from 'vitest'
import { begin, compileSchema } from '@potluck/protocol'
import { Masks } from '../../../node/engine/grammar/masks.ts'
import { TokenTries } from '../../../node/engine/grammar/token-tries.ts'
import { GrammarState } from '../../../node/engine/output/grammar-state.ts'
import { Drafter } from '../../../node/engine/speculation/drafter.ts'
import { PromptLookup } from '../../../node/engine/speculation/lookup.ts'
import { DraftPace, EvaluationCosts, MOST_DRAFTED } from '../../../node/engine/speculation/pace.ts'
import { pieceOf, type Vocabulary } from '../../../node/engine/vocabulary.ts'

/**
 * With `flat`, an evaluation of any size takes as long as one token. Otherwise it takes as long as its tokens one by
 * one.
 */
function costs(flat: boolean): EvaluationCosts {
  const measured = new EvaluationCosts()
  for (const size of [1, 4, 8, 16]) measured.observe(size, flat ? 10 : 10 * size)
  return measured
}

describe('the lookup of a prompt', () => {
  const lookup = new PromptLookup()
  for (const token of [1, 2, 3, 4, 5, 1, 2, 3, 9, 6, 1, 2, 3]) lookup.push(token)

  it('predicts the token that followed the same three tokens last', () => {
    expect(lookup.predict([])).toBe(9)
    expect(lookup.predict([9])).toBe(6)
    expect(lookup.predict([9, 6, 1, 2, 3])).toBe(9)
  })

  it('predicts nothing after tokens that are new', () => {
    expect(lookup.predict([7])).toBeUndefined()
    expect(new PromptLookup().predict([])).toBeUndefined()
  })
})

describe('the length of a draft', () => {
  const lookups = Array.from({ length: MOST_DRAFTED }, () => 'lookup' as const)
  const learned = (right: boolean, flat: boolean): DraftPace => {
    const pace = new DraftPace(costs(flat))
    for (let count = 0; count < 50; count++) pace.observe('lookup', right)
    return pace
  }

  it('is the longest where predictions are right and a batch costs little', () => {
    expect(learned(true, true).choose(lookups)).toBe(MOST_DRAFTED)
  })

  it('is a size that llama.cpp evaluates together, with the last token', () => {
    expect(learned(true, true).choose(lookups.slice(0, 9))).toBe(7)
    expect(learned(true, true).choose(lookups.slice(0, 2))).toBe(0)
  })

  it('is 0 where predictions are wrong, or where a batch costs as much as its tokens', () => {
    expect(learned(false, true).choose(lookups)).toBe(0)
    expect(learned(true, false).choose(lookups)).toBe(0)
    expect(new DraftPace(new EvaluationCosts()).choose(lookups)).toBe(0)
  })
})

describe('a drafter', () => {
  const SPELLINGS = ['{"', 'country', 'cou', '":', '"', 'a', 'b', '}', 'c', '{'].map((text) =>
    new TextEncoder().encode(text)
  )
  const vocabulary: Vocabulary = {
    size: SPELLINGS.length,
    piece: (token) => pieceOf(SPELLINGS[token]!),
    isEnd: () => false
  }
  const repeated = Array.from({ length: 40 }, (_, index) => index % 10)

  it('drafts what repeats once its predictions were right, and stops when they are wrong', () => {
    const drafter = new Drafter(repeated, vocabulary, costs(true))
    let next = 0
    const lengths: number[] = []
    for (let count = 0; count < 20; count++) {
      const { tokens } = drafter.draft(undefined, 100)
      expect(tokens).toEqual(tokens.map((_, index) => (next + index) % 10))
      lengths.push(tokens.length)
      drafter.push(next)
      next = (next + 1) % 10
    }
    expect(lengths.at(-1)).toBe(MOST_DRAFTED)
    for (let count = 0; count < 50; count++) {
      drafter.draft(undefined, 100)
      expect(drafter.push(100 + count)).toBe(false)
    }
    expect(drafter.draft(undefined, 100).tokens).toEqual([])
  })

  it('never drafts beyond the limit of the answer', () => {
    const drafter = new Drafter(repeated, vocabulary, costs(true))
    for (let count = 0; count < 20; count++) {
      drafter.draft(undefined, 0)
      drafter.push(count % 10)
    }
    expect(drafter.draft(undefined, 0).tokens).toEqual([])
    expect(drafter.draft(undefined, 5).tokens.length).toBeLessThanOrEqual(5)
  })

  it('drafts the text that a grammar forces, in its longest tokens, with the allowed tokens at each position', () => {
    const schema = {
      type: 'object',
      properties: { country: { enum: ['a', 'b'] } },
      required: ['country'],
      additionalProperties: false
    }
    const masks = new Masks(new TokenTries(vocabulary))
    const grammar = new GrammarState(begin(compileSchema(schema)), vocabulary, masks)
    const drafter = new Drafter([0], vocabulary, costs(true))
    const { tokens, allowed } = drafter.draft(grammar, 100)
    expect(tokens.map((token) => vocabulary.piece(token).text)).toEqual(['{"', 'country', '":'])
    expect(allowed).toHaveLength(tokens.length + 1)
    expect(allowed.map((set, index) => set!.has(tokens[index] ?? 4))).toEqual([true, true, true, true])
    // The draft did not advance the grammar of the answer.
    expect(grammar.mask()!.has(0)).toBe(true)
  })
})
