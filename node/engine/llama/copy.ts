/** Copies between sequences of a context, on the internals of node-llama-cpp 3.22.1 (pinned exactly). */
import type { LlamaContextSequence } from 'node-llama-cpp'

interface SequenceInternals {
  _copyStateFromOtherSequence: (from: LlamaContextSequence, length: number) => Promise<boolean>
}

/**
 * Gives a sequence what another holds. Copies are done in the order in which they are asked for, before any evaluation
 * that is asked for later: the library takes its context's lock at once, and llama.cpp moves the bytes when it evaluates
 * next.
 *
 * @param length tokens in the other sequence
 * @returns whether it worked; if not, it is undefined what the sequence holds
 */
export async function copyState(
  to: LlamaContextSequence,
  from: LlamaContextSequence,
  length: number
): Promise<boolean> {
  return await (to as unknown as SequenceInternals)._copyStateFromOtherSequence(from, length)
}
