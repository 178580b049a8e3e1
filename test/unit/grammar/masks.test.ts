import {
  begin,
  Alternation,
  compileSchema,
  FreeText,
  Literal,
  Concatenation,
  step,
  type GrammarNode,
  type Ways
} from '@potluck/protocol'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { Masks } from '../../../node/engine/grammar/masks.ts'
import { TokenTries } from '../../../node/engine/grammar/token-tries.ts'
import { pieceOf, type Vocabulary } from '../../../node/engine/vocabulary.ts'
import { schema } from './schemas.ts'

/** All single bytes, common tokens of JSON and text, parts of characters, long tokens, and a token without bytes. */
const SPELLINGS: readonly Uint8Array[] = [
  ...Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte)),
  ...[
    '"name"',
    '":',
    '": "',
    '", "',
    '"}',
    '"}]',
    '{"',
    '[{"',
    '{}',
    '[]',
    ' "',
    ', ',
    '12',
    '123',
    '0.5',
    '-1',
    '1,',
    'true',
    'null',
    'fal',
    ' the',
    'the',
    'größe',
    '🐻',
    'ab',
    'abc',
    '\\n',
    '\\"',
    '\\u00',
    '\n\n',
    '</',
    '</think>',
    'k>',
    'k>{',
    '>{"',
    'x'.repeat(70),
    '"'.padEnd(70)
  ].map((text) => new TextEncoder().encode(text)),
  Uint8Array.of(0xf0, 0x9f),
  Uint8Array.of(0x90, 0xbb),
  Uint8Array.of(0xc3, 0xa9, 0xf0),
  new Uint8Array()
]
const END = SPELLINGS.length
const vocabulary: Vocabulary = {
  size: END + 1,
  piece: (token) => pieceOf(SPELLINGS[token] ?? new Uint8Array()),
  isEnd: (token) => token === END
}

function after(state: Ways, token: number): Ways | undefined {
  let next: Ways | undefined = state
  for (const byte of SPELLINGS[token]!) next = next && step(next, byte)
  return next
}

/** Generates a random text, and compares each set of allowed tokens with the result of trying every token. */
function expectExact(root: GrammarNode, choices: () => number, length: number, isFree: () => boolean): void {
  const masks = new Masks(new TokenTries(vocabulary))
  let state = begin(root)
  for (let position = 0; position < length; position++) {
    const mask = masks.of(state)
    expect(mask.has(END)).toBe(state.mayEnd)
    const allowed = SPELLINGS.flatMap((bytes, token) => {
      const possible = bytes.length === 0 ? isFree() : after(state, token) !== undefined
      return possible && (bytes.length <= 64 || mask.has(token)) ? [token] : []
    })
    expect(SPELLINGS.flatMap((_, token) => (mask.has(token) ? [token] : []))).toEqual(allowed)
    const others = new Set(mask.others())
    expect(others.size + allowed.length + Number(state.mayEnd)).toBe(vocabulary.size)
    const next = allowed[Math.floor(choices() * allowed.length)]
    if (next === undefined) return
    state = after(state, next)!
  }
}

describe('the set of allowed tokens', () => {
  test('equals the result of trying every token', () => {
    const chances = fc.infiniteStream(fc.double({ min: 0, max: 0.999_999, noNaN: true }))
    fc.assert(
      fc.property(schema, chances, (from, stream) =>
        expectExact(
          compileSchema(from),
          () => stream.next().value,
          12,
          () => false
        )
      ),
      { numRuns: 40 }
    )
  })

  test('in free text up to a marker: includes all tokens, except tokens that complete the marker and then break the grammar', () => {
    const root = new Concatenation(new FreeText('until', '</think>'), new Literal('{'))
    const chances = fc.infiniteStream(fc.double({ min: 0, max: 0.999_999, noNaN: true }))
    fc.assert(
      fc.property(chances, (stream) =>
        expectExact(
          root,
          () => stream.next().value,
          4,
          () => true
        )
      ),
      { numRuns: 10 }
    )
    const masks = new Masks(new TokenTries(vocabulary))
    const token = (text: string): number => SPELLINGS.findIndex((bytes) => new TextDecoder().decode(bytes) === text)
    const near = ['</', 't', 'h', 'i', 'n'].reduce((state, text) => after(state, token(text))!, begin(root))
    const mask = masks.of(near)
    expect([mask.has(token('k>')), mask.has(token('k>{')), mask.has(token('x')), mask.has(END)]).toEqual([
      true,
      true,
      true,
      false
    ])
    expect(masks.of(after(near, token('k>'))!).others()).toHaveLength(vocabulary.size - 1)
  })

  test('in free text that must not begin like a call: includes all tokens until the text begins so, then only the call', () => {
    const root = new Alternation(new FreeText('unlike', '{"name":'), new Literal('{"name":1'))
    const chances = fc.infiniteStream(fc.double({ min: 0, max: 0.999_999, noNaN: true }))
    fc.assert(
      fc.property(chances, (stream) =>
        expectExact(
          root,
          () => stream.next().value,
          4,
          () => true
        )
      ),
      { numRuns: 10 }
    )
    const masks = new Masks(new TokenTries(vocabulary))
    const call = ['{"', 'n', 'a', 'm', 'e'].reduce(
      (state, text) =>
        after(
          state,
          SPELLINGS.findIndex((bytes) => new TextDecoder().decode(bytes) === text)
        )!,
      begin(root)
    )
    const begun = after(
      call,
      SPELLINGS.findIndex((bytes) => new TextDecoder().decode(bytes) === '":')
    )!
    expect(masks.of(begun).others()).toHaveLength(vocabulary.size - 1)
  })

  test('can spell any document only if each byte of JSON is a token', () => {
    expect(new TokenTries(vocabulary).spellsAnything).toBe(true)
    const without = (byte: number): Vocabulary => ({
      ...vocabulary,
      piece: (token) => vocabulary.piece(token === byte ? END : token)
    })
    expect([0x22, 0x7b, 0x80, 0xf4].map((byte) => new TokenTries(without(byte)).spellsAnything)).toEqual([
      false,
      false,
      false,
      false
    ])
    expect(new TokenTries(without(0x0a)).spellsAnything).toBe(true)
  })
})
