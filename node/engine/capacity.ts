import { MOST_REMEMBERED, SHARE_FOR_MEMORY } from './constants.ts'

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
