/** A grammar at work on one answer: which tokens may come next. */
import { begin, step, TooManyWays, PotluckError, type Node, type Ways } from '@potluck/protocol'
import type { Vocabulary } from '../answer/vocabulary.ts'
import type { Masks } from '../grammar/masks.ts'
import type { TokenSet } from '../grammar/token-set.ts'

export class Constraint {
  readonly #vocabulary: Vocabulary
  readonly #masks: Masks
  #state: Ways | undefined

  constructor(root: Node, vocabulary: Vocabulary, masks: Masks) {
    this.#vocabulary = vocabulary
    this.#masks = masks
    this.#state = begin(root)
  }

  /** False once a token was accepted that the grammar does not have there. */
  get holds(): boolean {
    return this.#state !== undefined
  }

  /** Undefined if it does not hold any more: then anything goes. */
  mask(): TokenSet | undefined {
    return this.#state === undefined ? undefined : this.#masks.of(this.#state)
  }

  /** @throws PotluckError `unsupported` for a schema that is too ambiguous */
  accept(token: number): void {
    if (this.#vocabulary.isEnd(token)) return
    try {
      for (const byte of this.#vocabulary.piece(token).bytes) {
        if (this.#state === undefined) return
        this.#state = step(this.#state, byte)
      }
    } catch (error) {
      if (!(error instanceof TooManyWays)) throw error
      throw new PotluckError('unsupported', 'response_format: its schema has too many readings', { cause: error })
    }
  }
}
