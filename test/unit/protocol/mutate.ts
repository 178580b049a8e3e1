/** Returns Marsaglia's xorshift32 generator, so that every run of the tests uses the same hostile bytes. */
export function xorshift(state: number): () => number {
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 0
  }
}

export function randomBytes(random: () => number): Uint8Array {
  return Uint8Array.from({ length: random() % 200 }, () => random())
}

/** Overwrites up to four bytes. Then removes the end, repeats a part, or leaves the length unchanged. */
export function mutate(seed: Uint8Array, random: () => number): Uint8Array {
  const bytes = Uint8Array.from(seed)
  for (let edits = 1 + (random() % 4); edits > 0; edits--) bytes[random() % bytes.length] = random()
  switch (random() % 4) {
    case 0:
      return bytes.slice(0, random() % bytes.length)
    case 1:
      return Uint8Array.from([...bytes, ...bytes.slice(random() % bytes.length)])
    default:
      return bytes
  }
}
