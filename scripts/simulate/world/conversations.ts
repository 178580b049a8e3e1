/**
 * Token ids of simulated conversations. A longer version of a conversation starts with the tokens of the shorter one.
 * Two conversations have no token in common.
 */
export class Conversations {
  readonly #ids = new Map<string, number>()

  /** The first `length` tokens of a conversation. */
  tokens(conversation: string, length: number): number[] {
    const id = this.#ids.get(conversation) ?? this.#ids.size
    this.#ids.set(conversation, id)
    return Array.from({ length }, () => id)
  }
}
