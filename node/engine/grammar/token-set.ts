/** A set of token ids, one bit each. */
export class TokenSet {
  readonly size: number
  readonly #words: Uint32Array

  /** @param size the number of tokens in the vocabulary */
  constructor(size: number) {
    this.size = size
    this.#words = new Uint32Array((size + 31) >>> 5)
  }

  has(token: number): boolean {
    return ((this.#words[token >>> 5]! >>> (token & 31)) & 1) === 1
  }

  add(token: number): void {
    this.#words[token >>> 5]! |= 1 << (token & 31)
  }

  addAll(other: TokenSet): void {
    for (let index = 0; index < this.#words.length; index++) this.#words[index]! |= other.#words[index]!
  }

  /** Returns a copy without these tokens. */
  without(tokens: readonly number[]): TokenSet {
    const copy = new TokenSet(this.size)
    copy.addAll(this)
    for (const token of tokens) if (token < this.size) copy.#words[token >>> 5]! &= ~(1 << (token & 31))
    return copy
  }

  /** Returns the ids in the set, in ascending order; undefined if there are more than `most`. */
  few(most: number): number[] | undefined {
    const ids: number[] = []
    for (let index = 0; index < this.#words.length; index++) {
      for (let word = this.#words[index]!; word !== 0; word &= word - 1) {
        if (ids.length === most) return undefined
        ids.push(32 * index + 31 - Math.clz32(word & -word))
      }
    }
    return ids
  }

  /** Returns the ids of the vocabulary that are not in the set, in ascending order. */
  others(): Uint32Array {
    const ids = new Uint32Array(this.size)
    let count = 0
    for (let token = 0; token < this.size; token++) if (!this.has(token)) ids[count++] = token
    return ids.slice(0, count)
  }
}
