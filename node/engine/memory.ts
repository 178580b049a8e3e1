/**
 * Remembers conversations that lost their slot to other requests.
 *
 * A context has two kinds of sequences: slots and memory sequences. The engine evaluates requests on the slots. A
 * memory sequence only stores a conversation that was in a slot before, because another request often takes the slot
 * before the person sends the next message. When a request continues a stored conversation, the engine copies it back
 * to a slot.
 *
 * This module only decides which sequence is copied where. The engine makes the copies. The simulator uses the same
 * decisions to count how many conversations find their prefix.
 */

import {
  CONTEXT_PER_COPY,
  LEAST_COPIED_TOKENS,
  MOST_REMEMBERED,
  OPENING_TOKENS,
  SHARE_FOR_MEMORY
} from './constants.ts'
import { chooseSlot, commonPrefix, type SlotView } from './slots.ts'

/** The slot for a request. */
export interface Placement<S> {
  slot: S
  /** Copies to make first, in this order: the slot's old content to a memory sequence, then the prefix to the slot. */
  copies: readonly { from: S; to: S }[]
}

/**
 * Returns the fewest tokens that a copy must save. A copy always copies the whole context, even if it is almost empty.
 */
export function leastWorthCopying(contextLength: number): number {
  return Math.max(LEAST_COPIED_TOKENS, Math.ceil(contextLength / CONTEXT_PER_COPY))
}

/** Remembers the conversations that were used last. Without memory sequences it only chooses slots. */
export class ConversationMemory<S extends SlotView> {
  readonly slots: readonly S[]
  readonly #kept: readonly S[]
  readonly #least: number
  /** For each sequence, the number of the latest event that used or extended its content. Events are counted from 1. */
  readonly #usedAt = new Map<S, number>()
  /** The tokens of the latest request in each slot. The tokens that follow them in the slot are its answer. */
  readonly #asked = new Map<S, readonly number[]>()
  #events = 0

  /**
   * @param slots their ids start at 0 and are consecutive
   * @param kept the sequences that only store conversations
   * @param least the fewest tokens that a copy must save, see `leastWorthCopying`
   */
  constructor(slots: readonly S[], kept: readonly S[], least: number) {
    this.slots = slots
    this.#kept = kept
    this.#least = least
  }

  /** Returns the slot and the copies for a request with these tokens; undefined if all slots are busy. */
  place(tokens: readonly number[]): Placement<S> | undefined {
    const best = chooseSlot(this.slots, tokens)
    if (best === undefined) return undefined
    const source = this.#longest(tokens, commonPrefix(best.cached, tokens) + this.#least)
    // If the engine copies a conversation to the slot, the old content of the slot does not matter. So the engine then
    // chooses the free slot with the best position in the batch.
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

  /** The request no longer uses the slot. */
  release(slot: S): void {
    this.#touch(slot)
  }

  /**
   * Returns the remembered sequence with the longest common prefix, of at least `least` tokens. If several are equal,
   * it returns the one that was used last.
   */
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
   * Whether to copy the slot's content before the engine cuts it to its common prefix with the tokens. If the tokens
   * contain almost the whole previous prompt of the slot, they continue its conversation, and the cut removes only the
   * end of its last answer. A copy is then useless, because no later turn contains that end. For example, the client
   * omits the reasoning from the next turn, or asks for another answer.
   */
  #worthKeeping(slot: S, tokens: readonly number[]): boolean {
    const common = commonPrefix(slot.cached, tokens)
    if (slot.cached.length - common < this.#least) return false
    if ((this.#asked.get(slot)?.length ?? 0) - common <= OPENING_TOKENS) return false
    return !this.#kept.some((kept) => startsWith(kept.cached, slot.cached))
  }

  /** Returns the sequence for the slot's content; undefined if all remembered content was used more recently. */
  #room(slot: S, source: S | undefined): S | undefined {
    const free = this.#kept.filter((kept) => kept !== source)
    const redundant = free.find((kept) => this.#isRedundant(kept))
    if (redundant !== undefined) return redundant
    const oldest = free.toSorted((a, b) => this.#used(a) - this.#used(b))[0]
    return oldest !== undefined && this.#used(oldest) < this.#used(slot) ? oldest : undefined
  }

  /**
   * Whether another sequence begins with all tokens of `kept`. Then the other sequence has a later turn of the same
   * conversation, or `kept` is empty.
   */
  #isRedundant(kept: S): boolean {
    const others = [
      // A busy slot can still contain tokens that its request will replace.
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

/**
 * Compares from the end, because conversations with the same template and system message begin with the same tokens.
 */
function startsWith(whole: readonly number[], beginning: readonly number[]): boolean {
  if (whole.length < beginning.length) return false
  for (let index = beginning.length - 1; index >= 0; index--) {
    if (whole[index] !== beginning[index]) return false
  }
  return true
}

/** A memory that contexts use: the machine's or the GPU's. */
export interface MemoryPool {
  /** Free bytes after the model and the slots. */
  freeBytes: number
  /** Bytes of one more context in this memory; 0: none. */
  bytesEach: number
}

/** Returns the default number of conversations that a node remembers. */
export function conversationsThatFit(pools: readonly MemoryPool[]): number {
  const fits = pools
    .filter(({ bytesEach }) => bytesEach > 0)
    .map(({ freeBytes, bytesEach }) => Math.floor((freeBytes * SHARE_FOR_MEMORY) / bytesEach))
  return Math.max(0, Math.min(MOST_REMEMBERED, ...fits))
}
