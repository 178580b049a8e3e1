import { PotluckError, step, TooManyWays, type Ways } from '@potluck/protocol'
import type { Masks } from '../grammar/masks.ts'
import type { TokenSet } from '../grammar/token-set.ts'
import type { Vocabulary } from '../vocabulary.ts'

/** The state of a grammar after the tokens of one answer. It decides which tokens can come next. */
export class GrammarState {
  readonly #vocabulary: Vocabulary
  readonly #masks: Masks
  #ways: Ways | undefined

  /** @param ways from `begin` */
  constructor(ways: Ways | undefined, vocabulary: Vocabulary, masks: Masks) {
    this.#vocabulary = vocabulary
    this.#masks = masks
    this.#ways = ways
  }

  /** Returns a copy. `accept` on the one does not change the other, because `Ways` is immutable. */
  fork(): GrammarState {
    return new GrammarState(this.#ways, this.#vocabulary, this.#masks)
  }

  /** True after a token that the grammar did not allow. */
  get failed(): boolean {
    return this.#ways === undefined
  }

  /** Returns the tokens that can come next; undefined if the grammar has failed, because then it allows every token. */
  mask(): TokenSet | undefined {
    return this.#ways === undefined ? undefined : this.#masks.of(this.#ways)
  }

  /**
   * Advances the state by one token.
   *
   * @throws PotluckError `unsupported` if the schema is too ambiguous
   */
  accept(token: number): void {
    if (this.#vocabulary.isEnd(token)) return
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
