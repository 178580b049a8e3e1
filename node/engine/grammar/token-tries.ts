import { REACH, STRING_REACH } from '@potluck/protocol'
import type { Vocabulary } from '../vocabulary.ts'
import { TokenSet } from './token-set.ts'
import { TokenTrie, type Spelling } from './token-trie.ts'

interface FreeTokens {
  others: TokenSet
  enders: TokenTrie
}

/** The token tries of a vocabulary, and sets of tokens that many states allow. Made once for a model. */
export class TokenTries {
  readonly size: number
  /** The tokens that end the answer. */
  readonly ends: TokenSet
  /** All tokens of at most `REACH` bytes. */
  readonly all: TokenTrie
  /** The tokens of `all` that do not consist of whole characters of a string. */
  readonly structural: TokenTrie
  readonly #spellings: readonly Spelling[]
  /**
   * For each token, its number of characters. 0 if the token has more than `STRING_REACH` bytes, an incomplete
   * character, or a character that a string can contain only as an escape.
   */
  readonly #characters: Uint16Array
  readonly #strings = new Map<number, TokenSet>()
  readonly #free = new Map<number, FreeTokens>()

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
    this.all = new TokenTrie(near)
    this.structural = new TokenTrie(near.filter(({ token }) => this.#characters[token] === 0))
  }

  /** Whether the tokens can spell every document: there is a token for each single byte that JSON can contain. */
  get spellsAnything(): boolean {
    const single = new Set(this.#spellings.filter(({ bytes }) => bytes.length === 1).map(({ bytes }) => bytes[0]))
    return Array.from({ length: 0xf5 - 0x20 }, (_, index) => 0x20 + index)
      .filter((byte) => byte !== 0x7f && byte !== 0xc0 && byte !== 0xc1)
      .every((byte) => single.has(byte))
  }

  /** Returns the tokens that contain only characters of a string, at most `room` of them. */
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

  /**
   * Splits the tokens into two groups. `enders` are the tokens that contain `lastByte`: only they can complete a marker
   * that ends with this byte. `others` are the tokens that do not contain it. The tokens that end the answer are in
   * neither group.
   */
  free(lastByte: number): FreeTokens {
    return memo(this.#free, lastByte, () => {
      const enders = this.#spellings.filter(({ bytes }) => bytes.includes(lastByte))
      const excluded = new Set(enders.map(({ token }) => token))
      const others = new TokenSet(this.size)
      for (let token = 0; token < this.size; token++) {
        if (!excluded.has(token) && !this.ends.has(token)) others.add(token)
      }
      return { others, enders: new TokenTrie(enders) }
    })
  }
}

/** Whether the text has no quote, backslash or control character. */
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
