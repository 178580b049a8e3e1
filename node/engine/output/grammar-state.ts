import { PotluckError, step, TooManyWays, type Ways } from '@potluck/protocol'
import type { Masks } from '../grammar/masks.ts'
import type { TokenSet } from '../grammar/token-set.ts'
import type { Vocabulary } from '../vocabulary.ts'

/** The shortest answer. */
export interface LeastTokens {
  /** Positions at which the answer cannot end yet. */
  count: number
  /** The tokens that end an answer. */
  ends: readonly number[]
  /** All tokens except those. */
  others: TokenSet
}

/** The state of a grammar after the tokens of one answer. It decides which tokens can come next. */
export class GrammarState {
  readonly #vocabulary: Vocabulary
  readonly #masks: Masks
  readonly #least: LeastTokens | undefined
  #ways: Ways | 'any' | undefined
  #length = 0

  /** @param ways from `begin`, or `any` for an answer without a grammar */
  constructor(ways: Ways | 'any' | undefined, vocabulary: Vocabulary, masks: Masks, least?: LeastTokens) {
    this.#vocabulary = vocabulary
    this.#masks = masks
    this.#ways = ways
    this.#least = least
  }

  /** Returns a copy. `accept` on the one does not change the other, because `Ways` is immutable. */
  fork(): GrammarState {
    const copy = new GrammarState(this.#ways, this.#vocabulary, this.#masks, this.#least)
    copy.#length = this.#length
    return copy
  }

  /** True after a token that the grammar did not allow. */
  get failed(): boolean {
    return this.#ways === undefined
  }

  /** Returns the tokens that can come next; undefined if all can, also after the grammar has failed. */
  mask(): TokenSet | undefined {
    const mask = this.#ways === undefined || this.#ways === 'any' ? undefined : this.#masks.of(this.#ways)
    if (this.#least === undefined || this.#length >= this.#least.count) return mask
    if (mask === undefined) return this.#least.others
    const longer = mask.without(this.#least.ends)
    // A complete document cannot continue.
    return longer.few(0) === undefined ? longer : mask
  }

  /**
   * Advances the state by one token.
   *
   * @throws PotluckError `unsupported` if the schema is too ambiguous
   */
  accept(token: number): void {
    this.#length++
    if (this.#ways === 'any' || this.#vocabulary.isEnd(token)) return
    try {
      for (const byte of this.#vocabulary.piece(token).bytes) {
        if (this.#ways === undefined) return
        this.#ways = step(this.#ways, byte)
      }
    } catch (error) {
      if (!(error instanceof TooManyWays)) throw error
      throw new PotluckError('unsupported', 'response_format: its schema has too many readings', { cause: error })
    }
  }
}
