/**
 * Conversations that other requests drove out of their slots.
 *
 * Beside the sequences that requests are evaluated on, the slots, a context may have some that only
 * hold what was in a slot before: a person thinks for longer than a slot stays free. A request that
 * goes on with such a conversation gets it copied into its slot. Which sequence is copied where is
 * decided here, and nothing else: the engine does it, and the simulator counts what it is good for.
 */

import { CONTEXT_PER_COPY, LEAST_COPIED_TOKENS, OPENING_TOKENS } from './constants.ts'
import { chooseSlot, commonPrefix, type SlotView } from './slots.ts'

/** Where a request goes. */
export interface Placement<S> {
  slot: S
  /** To be done before, in this order: what the slot holds to where it is kept, what the request needs to the slot. */
  copies: readonly { from: S; to: S }[]
}

/** Tokens that a copy must be worth, as it takes the whole context along however little is in it. */
export function leastWorthCopying(contextLength: number): number {
  return Math.max(LEAST_COPIED_TOKENS, Math.ceil(contextLength / CONTEXT_PER_COPY))
}

/** Remembers what was used last. Without sequences to remember in, it only chooses slots. */
export class ConversationMemory<S extends SlotView> {
  readonly slots: readonly S[]
  readonly #kept: readonly S[]
  readonly #least: number
  /** When a sequence's content was last asked for or added to, counted in events. */
  readonly #usedAt = new Map<S, number>()
  /** What a slot was last asked for: its content beyond that is an answer. */
  readonly #asked = new Map<S, readonly number[]>()
  #events = 0

  /**
   * @param slots ids from 0 without gaps
   * @param kept sequences that nothing is evaluated on
   * @param least what a copy must be worth, as `leastWorthCopying` says
   */
  constructor(slots: readonly S[], kept: readonly S[], least: number) {
    this.slots = slots
    this.#kept = kept
    this.#least = least
  }

  /** The place for a request for these tokens, or undefined if all slots are busy. */
  place(tokens: readonly number[]): Placement<S> | undefined {
    const best = chooseSlot(this.slots, tokens)
    if (best === undefined) return undefined
    const source = this.#longest(tokens, commonPrefix(best.cached, tokens) + this.#least)
    // What is copied fits any slot, so that its place in the batch decides.
    const slot = (source && chooseSlot(this.slots, [])) ?? best
    const target = this.#worthKeeping(slot, source === undefined ? tokens : []) ? this.#room(slot, source) : undefined
    if (target !== undefined) this.#usedAt.set(target, this.#used(slot))
    if (source !== undefined) this.#touch(source)
    this.#touch(slot)
    this.#asked.set(slot, tokens)
    return {
      slot,
      copies: [
        ...(target === undefined ? [] : [{ from: slot, to: target }]),
        ...(source === undefined ? [] : [{ from: source, to: slot }])
      ]
    }
  }

  /** The request is done with the slot. */
  leave(slot: S): void {
    this.#touch(slot)
  }

  /** The remembered sequence that holds most of the tokens, and at least so many; of equals the one used last. */
  #longest(tokens: readonly number[], least: number): S | undefined {
    let longest: S | undefined
    let most = least
    for (const kept of this.#kept) {
      const length = commonPrefix(kept.cached, tokens)
      if (length < most || (length === most && longest !== undefined && this.#used(kept) < this.#used(longest)))
        continue
      longest = kept
      most = length
    }
    return longest
  }

  /**
   * Whether something is lost when the slot's content is cut to what it has in common with the tokens.
   * A conversation that goes on without the end of its last answer (its reasoning is left out, or
   * another answer is wanted) never comes back to it.
   */
  #worthKeeping(slot: S, tokens: readonly number[]): boolean {
    const common = commonPrefix(slot.cached, tokens)
    if (slot.cached.length - common < this.#least) return false
    if ((this.#asked.get(slot)?.length ?? 0) - common <= OPENING_TOKENS) return false
    return !this.#kept.some((kept) => startsWith(kept.cached, slot.cached))
  }

  /** Where the slot's content goes, or undefined if all that is remembered was used since. */
  #room(slot: S, source: S | undefined): S | undefined {
    const free = this.#kept.filter((kept) => kept !== source)
    const redundant = free.find((kept) => this.#isHeldElsewhere(kept))
    if (redundant !== undefined) return redundant
    const oldest = free.toSorted((a, b) => this.#used(a) - this.#used(b))[0]
    return oldest !== undefined && this.#used(oldest) < this.#used(slot) ? oldest : undefined
  }

  /** Earlier turns of what another sequence holds, and what is empty. */
  #isHeldElsewhere(kept: S): boolean {
    const others = [
      // A busy slot may still hold what its request is about to replace.
      ...this.slots.map((slot) => (slot.busy ? (this.#asked.get(slot) ?? []) : slot.cached)),
      ...this.#kept.filter((other) => other !== kept).map(({ cached }) => cached)
    ]
    return others.some((other) => startsWith(other, kept.cached))
  }

  #used(sequence: S): number {
    return this.#usedAt.get(sequence) ?? 0
  }

  #touch(sequence: S): void {
    this.#usedAt.set(sequence, ++this.#events)
  }
}

/** From the end: what begins alike, as templates and system messages do, is told apart at once. */
function startsWith(whole: readonly number[], beginning: readonly number[]): boolean {
  if (whole.length < beginning.length) return false
  for (let index = beginning.length - 1; index >= 0; index--) {
    if (whole[index] !== beginning[index]) return false
  }
  return true
}
