/** Which tokens a state allows. What was worked out is kept: a string's inside is one set for most of its length. */
import { FreeText, JsonString, nearKey, PotluckError, Ways, type Way } from '@potluck/protocol'
import { MASK_STEPS, MASKS_KEPT } from '../constants.ts'
import type { Lexicon } from './lexicon.ts'
import { TokenSet } from './token-set.ts'

export class Masks {
  readonly #lexicon: Lexicon
  /** The least recently used first. */
  readonly #kept = new Map<string, TokenSet>()

  constructor(lexicon: Lexicon) {
    this.#lexicon = lexicon
  }

  /**
   * The tokens after which a document is still possible; at its end, those that end the answer.
   *
   * @throws PotluckError `unsupported` where working it out would hold up everybody's answers
   */
  of({ list, mayEnd }: Ways): TokenSet {
    const keys = list.map((way) => this.#keyOf(way))
    return this.#keep(`${mayEnd}${keys.join('\n')}`, () => {
      const mask = new TokenSet(this.#lexicon.size)
      if (mayEnd) mask.addAll(this.#lexicon.ends)
      let left = MASK_STEPS
      const spend = (): void => {
        if (left-- === 0) throw new PotluckError('unsupported', 'response_format: its schema takes too long to enforce')
      }
      list.forEach((way, index) => mask.addAll(this.#ofWay(way, keys[index]!, spend)))
      return mask
    })
  }

  #ofWay(way: Way, key: string, spend: () => void): TokenSet {
    return this.#keep(key, () => {
      const mask = new TokenSet(this.#lexicon.size)
      const from = new Ways()
      from.add(way)
      const allow = (token: number): void => mask.add(token)
      const { terminal, state } = way
      if (terminal instanceof FreeText) {
        const { rest, index } = this.#lexicon.free(terminal.lastByte)
        mask.addAll(rest)
        index.walk(from, spend, allow)
        return mask
      }
      const room = roomOf(way)
      if (room === undefined) {
        this.#lexicon.all.walk(from, spend, allow)
        return mask
      }
      mask.addAll(this.#lexicon.strings(room))
      mask.addAll(
        this.#keep(`structural ${nearKey({ terminal, state, next: way.next })}`, () => {
          const structural = new TokenSet(this.#lexicon.size)
          this.#lexicon.structural.walk(from, spend, (token) => structural.add(token))
          return structural
        })
      )
      return mask
    })
  }

  #keyOf(way: Way): string {
    const room = roomOf(way)
    return room === undefined ? nearKey(way) : `${room} ${nearKey(way)}`
  }

  #keep(key: string, make: () => TokenSet): TokenSet {
    const known = this.#kept.get(key)
    const mask = known ?? make()
    this.#kept.delete(key)
    this.#kept.set(key, mask)
    const oldest = this.#kept.keys().next()
    if (this.#kept.size > MASKS_KEPT && !oldest.done) this.#kept.delete(oldest.value)
    return mask
  }
}

/** Between the characters of a string: how many more it may have. */
function roomOf({ terminal, state }: Way): number | undefined {
  return terminal instanceof JsonString ? terminal.room(state as number) : undefined
}
