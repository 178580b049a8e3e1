/**
 * A trie of the tokens by their bytes. One walk tries all tokens, and tries each common prefix only once. The trie is
 * stored as a sorted list, because 150,000 tokens as objects would take 40 MB.
 */
import { step, type Ways } from '@potluck/protocol'

/** A token and its bytes, at least one byte. */
export interface Spelling {
  token: number
  bytes: Uint8Array
}

export class TokenTrie {
  readonly #spellings: readonly Spelling[]
  /** For each spelling, the length of the prefix in common with the spelling before it. */
  readonly #shared: Uint16Array

  constructor(spellings: readonly Spelling[]) {
    this.#spellings = spellings.toSorted((a, b) => Buffer.compare(a.bytes, b.bytes))
    this.#shared = Uint16Array.from(this.#spellings, ({ bytes }, index) =>
      index === 0 ? 0 : commonLength(this.#spellings[index - 1]!.bytes, bytes)
    )
  }

  /**
   * Calls `allow` for each token that is allowed in this state.
   *
   * @param spend called for each byte that is tried
   */
  walk(from: Ways, spend: () => void, allow: (token: number) => void): void {
    /** The states after each byte of the current token. */
    const states: Ways[] = [from]
    for (let index = 0; index < this.#spellings.length; index++) {
      const { token, bytes } = this.#spellings[index]!
      const shared = this.#shared[index]!
      // This token has a prefix in common with the token before it, and the grammar refused this prefix.
      if (index > 0 && shared >= states.length) continue
      states.length = shared + 1
      for (let at = shared; at < bytes.length; at++) {
        spend()
        const after = step(states[at]!, bytes[at]!)
        if (after === undefined) break
        states.push(after)
      }
      if (states.length === bytes.length + 1) allow(token)
    }
  }
}

function commonLength(a: Uint8Array, b: Uint8Array): number {
  const most = Math.min(a.length, b.length)
  let length = 0
  while (length < most && a[length] === b[length]) length++
  return length
}
