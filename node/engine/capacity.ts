import { MOST_REMEMBERED, SHARE_FOR_MEMORY } from './constants.ts'

/** A kind of memory that contexts take: the GPU's, the machine's. */
export interface MemoryPool {
  /** What is left of it beside the model and the slots. */
  freeBytes: number
  /** What one more context takes of it; 0: none. */
  bytesEach: number
}

/** How many conversations a node remembers unless it is told. */
export function conversationsThatFit(pools: readonly MemoryPool[]): number {
  const fits = pools
    .filter(({ bytesEach }) => bytesEach > 0)
    .map(({ freeBytes, bytesEach }) => Math.floor((freeBytes * SHARE_FOR_MEMORY) / bytesEach))
  return Math.max(0, Math.min(MOST_REMEMBERED, ...fits))
}
