/** Several answers to one request, read side by side. */
import type { Answer, AnswerPart } from '../../index.ts'

/** A part, and which of the answers it belongs to. */
export interface IndexedPart {
  index: number
  part: AnswerPart
}

/**
 * The parts of all answers as they come; each answer's own stay in order. One part of each is asked for
 * at a time, so that a reader who stops here stops all nodes. The first failure ends them all.
 *
 * @throws PotluckError of the answer that failed
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
      // Behind the others, so that one that always has a part ready holds up nobody.
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
