/** Returns up to `count` of the items, each with the same chance, in random order. Fisher and Yates' shuffle. */
export function sample<T>(items: readonly T[], count: number, random: () => number): T[] {
  const left = [...items]
  const taken = Math.min(count, left.length)
  for (let index = 0; index < taken; index++) {
    const other = index + Math.floor(random() * (left.length - index))
    const chosen = left[other]!
    left[other] = left[index]!
    left[index] = chosen
  }
  return left.slice(0, taken)
}
