/**
 * xorshift32, 32 bits per call: the same numbers on every machine.
 *
 * @param state not 0
 */
export function xorshift32(state: number): () => number {
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 0
  }
}

/** Random numbers for a small seed, 32 bits per call. */
export function createRandom(seed: number): () => number {
  return xorshift32((Math.imul(seed + 1, 0x9e3779b9) | 1) >>> 0)
}
