/** Random numbers from a seed: the same seed gives the same run. */

/** xoshiro128** of Blackman and Vigna, seeded through splitmix32. */
export class Random {
  readonly #state = new Uint32Array(4)

  constructor(seed: number) {
    let x = seed >>> 0
    for (let index = 0; index < 4; index++) {
      x = (x + 0x9e3779b9) >>> 0
      let z = x
      z = Math.imul(z ^ (z >>> 16), 0x85ebca6b)
      z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35)
      this.#state[index] = z ^ (z >>> 16)
    }
  }

  /** Uniform in [0, 1). */
  readonly next = (): number => {
    const s = this.#state
    const [a, b, c, d] = [s[0]!, s[1]!, s[2]!, s[3]!]
    const product = Math.imul(b, 5)
    const result = Math.imul((product << 7) | (product >>> 25), 9)
    s[2] = c ^ a
    s[3] = d ^ b
    s[1] = b ^ s[2]!
    s[0] = a ^ s[3]!
    s[2] = s[2]! ^ (b << 9)
    s[3] = (s[3]! << 11) | (s[3]! >>> 21)
    return (result >>> 0) / 2 ** 32
  }

  chance(share: number): boolean {
    return this.next() < share
  }

  integer(below: number): number {
    return Math.floor(this.next() * below)
  }

  exponential(mean: number): number {
    return -mean * Math.log(1 - this.next())
  }

  lognormal(median: number, sigma: number): number {
    const normal = Math.sqrt(-2 * Math.log(1 - this.next())) * Math.cos(2 * Math.PI * this.next())
    return median * Math.exp(sigma * normal)
  }

  pick<T>(items: readonly T[]): T {
    const item = items[this.integer(items.length)]
    if (item === undefined) throw new Error('A pick from nothing.')
    return item
  }

  /** In a random order. */
  shuffled<T>(items: readonly T[]): T[] {
    const copy = [...items]
    for (let last = copy.length - 1; last > 0; last--) {
      const other = this.integer(last + 1)
      ;[copy[last], copy[other]] = [copy[other]!, copy[last]!]
    }
    return copy
  }
}
