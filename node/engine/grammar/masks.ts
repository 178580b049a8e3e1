import { LRUCache } from 'lru-cache'
import { FreeText, JsonString, nearKey, PotluckError, Ways, type Way } from '@potluck/protocol'
import { MASK_STEPS, MASKS_KEPT } from '../constants.ts'
import { TokenSet } from './token-set.ts'
import type { TokenTries } from './token-tries.ts'

/**
 * Computes the tokens that a state of a grammar allows. It caches the results, because many states allow the same
 * tokens. For example, most positions within a string do.
 */
export class Masks {
  readonly #tries: TokenTries
  readonly #cache = new LRUCache<string, TokenSet>({ max: MASKS_KEPT })

  constructor(tries: TokenTries) {
    this.#tries = tries
  }

  /**
   * Returns the tokens that can come next. If the text can end here, they include the tokens that end the answer.
   *
   * @throws PotluckError `unsupported` if the computation would delay all other answers for too long
   */
  of({ list, mayEnd }: Ways): TokenSet {
    const keys = list.map((way) => keyOf(way))
    return this.#cached(`${mayEnd}${keys.join('\n')}`, () => {
      const mask = new TokenSet(this.#tries.size)
      if (mayEnd) mask.addAll(this.#tries.ends)
      let left = MASK_STEPS
      const spend = (): void => {
        if (left-- === 0) throw new PotluckError('unsupported', 'response_format: its schema takes too long to enforce')
      }
      list.forEach((way, index) => mask.addAll(this.#ofWay(way, keys[index]!, spend)))
      return mask
    })
  }

  #ofWay(way: Way, key: string, spend: () => void): TokenSet {
    return this.#cached(key, () => {
      const mask = new TokenSet(this.#tries.size)
      const from = new Ways()
      from.add(way)
      const allow = (token: number): void => mask.add(token)
      const { terminal, state } = way
      if (terminal instanceof FreeText) {
        const { others, enders } = this.#tries.free(terminal.lastByte)
        mask.addAll(others)
        enders.walk(from, spend, allow)
        return mask
      }
      const room = roomOf(way)
      if (room === undefined) {
        this.#tries.all.walk(from, spend, allow)
        return mask
      }
      mask.addAll(this.#tries.strings(room))
      mask.addAll(
        this.#cached(`structural ${nearKey({ terminal, state, next: way.next })}`, () => {
          const structural = new TokenSet(this.#tries.size)
          this.#tries.structural.walk(from, spend, (token) => structural.add(token))
          return structural
        })
      )
      return mask
    })
  }

  #cached(key: string, make: () => TokenSet): TokenSet {
    const known = this.#cache.get(key)
    if (known !== undefined) return known
    const mask = make()
    this.#cache.set(key, mask)
    return mask
  }
}

function keyOf(way: Way): string {
  const room = roomOf(way)
  return room === undefined ? nearKey(way) : `${room} ${nearKey(way)}`
}

/**
 * Returns the number of characters that can still follow in a string. Undefined if the way is not in a string, or if it
 * is inside a character: an escape, or a character of several bytes.
 */
function roomOf({ terminal, state }: Way): number | undefined {
  return terminal instanceof JsonString ? terminal.room(state as number) : undefined
}
