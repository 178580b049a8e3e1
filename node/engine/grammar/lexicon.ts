/** The vocabulary as grammars see it. Made once for a model. */
import { REACH, STRING_REACH } from '@potluck/protocol'
import type { Vocabulary } from '../answer/vocabulary.ts'
import { TokenIndex, type Spelling } from './token-index.ts'
import { TokenSet } from './token-set.ts'

export class Lexicon {
  readonly size: number
  /** Tokens that end the answer. */
  readonly ends: TokenSet
  /** Every token that may take a document further. */
  readonly all: TokenIndex
  /** Of those, the ones that are not wholly characters of a string. */
  readonly structural: TokenIndex
  readonly #spellings: readonly Spelling[]
  /** By token: its characters, if all that it holds are whole characters that a string may hold as they are; else 0. */
  readonly #characters: Uint16Array
  readonly #strings = new Map<number, TokenSet>()
  readonly #free = new Map<number, { rest: TokenSet; index: TokenIndex }>()

  constructor(vocabulary: Vocabulary) {
    this.size = vocabulary.size
    this.ends = new TokenSet(this.size)
    this.#characters = new Uint16Array(this.size)
    const spellings: Spelling[] = []
    for (let token = 0; token < this.size; token++) {
      const { bytes, text } = vocabulary.piece(token)
      if (vocabulary.isEnd(token)) this.ends.add(token)
      else if (bytes.length > 0) {
        spellings.push({ token, bytes })
        if (bytes.length <= STRING_REACH && text !== undefined && isStringContent(text)) {
          this.#characters[token] = Array.from(text).length
        }
      }
    }
    this.#spellings = spellings
    const near = spellings.filter(({ bytes }) => bytes.length <= REACH)
    this.all = new TokenIndex(near)
    this.structural = new TokenIndex(near.filter(({ token }) => this.#characters[token] === 0))
  }

  /** Whether tokens can spell any document: each byte that JSON may need is a token by itself. */
  get spellsAnything(): boolean {
    const single = new Set(this.#spellings.filter(({ bytes }) => bytes.length === 1).map(({ bytes }) => bytes[0]))
    return Array.from({ length: 0xf5 - 0x20 }, (_, index) => 0x20 + index)
      .filter((byte) => byte !== 0x7f && byte !== 0xc0 && byte !== 0xc1)
      .every((byte) => single.has(byte))
  }

  /** Tokens that are nothing but at most so many characters of a string. */
  strings(room: number): TokenSet {
    const most = Math.min(room, STRING_REACH)
    return memo(this.#strings, most, () => {
      const set = new TokenSet(this.size)
      for (let token = 0; token < this.size; token++) {
        const characters = this.#characters[token]!
        if (characters > 0 && characters <= most) set.add(token)
      }
      return set
    })
  }

  /** Tokens that cannot end a marker with this last byte, control tokens among them; and an index of the others. */
  free(lastByte: number): { rest: TokenSet; index: TokenIndex } {
    return memo(this.#free, lastByte, () => {
      const enders = this.#spellings.filter(({ bytes }) => bytes.includes(lastByte))
      const excluded = new Set(enders.map(({ token }) => token))
      const rest = new TokenSet(this.size)
      for (let token = 0; token < this.size; token++) {
        if (!excluded.has(token) && !this.ends.has(token)) rest.add(token)
      }
      return { rest, index: new TokenIndex(enders) }
    })
  }
}

/** No quote, backslash or control character. */
function isStringContent(text: string): boolean {
  // oxlint-disable-next-line no-control-regex
  return !/["\\\u0000-\u001f]/u.test(text)
}

function memo<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key)
  if (value === undefined) {
    value = make()
    map.set(key, value)
  }
  return value
}
