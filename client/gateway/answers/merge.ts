/**
 * Reads several answers to one request at the same time. A generic library such as it-merge does not fit. To add the
 * index, each answer would need a generator around it, and a generator cannot be cancelled while it waits for a part.
 */
import type { Answer, AnswerPart } from '@potluck/client'

/** A part, and the index of the answer that it belongs to. */
export interface IndexedPart {
  index: number
  part: AnswerPart
}

/**
 * Yields the parts of all answers as they arrive. The parts of each answer stay in order. The function requests only
 * one part of each answer at a time. So if the reader stops reading, all nodes stop too. The first failure cancels all
 * answers.
 *
 * @throws PotluckError the error of the answer that failed
 */
export async function* merge(answers: readonly Answer[]): AsyncGenerator<IndexedPart, void, void> {
  const [only] = answers
  if (answers.length === 1 && only !== undefined) {
    for await (const part of only) yield { index: 0, part }
    return
  }
  const iterators = answers.map((answer) => answer[Symbol.asyncIterator]())
  const pending = new Map(iterators.map((parts, index) => [index, next(parts, index)]))
  try {
    while (pending.size > 0) {
      const { index, result } = await Promise.race(pending.values())
      pending.delete(index)
      const parts = iterators[index]
      if (result.done || parts === undefined) continue
      yield { index, part: result.value }
      // `race` prefers the first entry. The answer moves to the end of the map, so that it does not delay the others.
      pending.set(index, next(parts, index))
    }
  } finally {
    await Promise.allSettled(iterators.map(async (parts) => await parts.return?.()))
  }
}

async function next(
  parts: AsyncIterator<AnswerPart, void, void>,
  index: number
): Promise<{ index: number; result: IteratorResult<AnswerPart, void> }> {
  return { index, result: await parts.next() }
}
