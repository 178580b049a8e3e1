/**
 * Token ids of simulated conversations. When a conversation grows, its first tokens stay the same. Two conversations
 * have no token in common.
 */
export class Conversations {
  readonly #ids = new Map<string, number>()

  /** The first `length` tokens of a conversation. */
  tokens(conversation: string, length: number): number[] {
    const id = this.#ids.get(conversation) ?? this.#ids.size
    this.#ids.set(conversation, id)
    return repeat(id, length)
  }
}

/** Returns an array with the same number in all places. Much faster than `Array.from`: a run makes millions of them. */
export function repeat(value: number, length: number): number[] {
  const all: number[] = []
  for (let index = 0; index < length; index++) all.push(value)
  return all
}
