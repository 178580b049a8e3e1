/** Token ids of conversations: as many as they are long, the same from the beginning, and in no two alike. */
export class Conversations {
  readonly #ids = new Map<string, number>()

  /** The first so many of a conversation. */
  tokens(conversation: string, length: number): number[] {
    const id = this.#ids.get(conversation) ?? this.#ids.size
    this.#ids.set(conversation, id)
    return Array.from({ length }, () => id)
  }
}
