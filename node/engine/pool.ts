import { PotluckError } from '@potluck/protocol'
import type { ConversationMemory } from './memory.ts'
import type { SlotView } from './slots.ts'

/** A slot that requests take in turn. */
export interface Slot<S> extends SlotView {
  busy: boolean
  /** Takes over what another sequence holds; `cached` says so at once, whatever the copy itself takes. */
  copy: (from: S) => Promise<void>
}

/** The slots of an engine, each for one request at a time. */
export class SlotPool<S extends Slot<S>> {
  readonly #memory: ConversationMemory<S>

  constructor(memory: ConversationMemory<S>) {
    this.#memory = memory
  }

  /** Slots in use. */
  get active(): number {
    return this.#memory.slots.filter(({ busy }) => busy).length
  }

  /**
   * Runs `work` on the best slot for these tokens, which then holds as much of them as any sequence did.
   *
   * @throws PotluckError `busy` if all are taken: whoever asks is to know how many there are
   */
  async use<T>(tokens: readonly number[], work: (slot: S) => Promise<T>): Promise<T> {
    const placement = this.#memory.place(tokens)
    if (placement === undefined) throw new PotluckError('busy', 'all slots of the engine are taken')
    const { slot, copies } = placement
    slot.busy = true
    try {
      // All at once: what the next request has copied then comes after these.
      await Promise.all(copies.map(async ({ from, to }) => to.copy(from)))
      return await work(slot)
    } finally {
      slot.busy = false
      this.#memory.leave(slot)
    }
  }
}
