/**
 * Philox4x32-10, the counter-based random number generator of Salmon, Moraes, Dror and Shaw, "Parallel random numbers:
 * as easy as 1, 2, 3" (SC 2011). It has no state: a key and a counter determine the random words. So any node and any
 * auditor can compute the noise of any position, without the noise of earlier positions.
 */

const M0 = 0xd2511f53
const M1 = 0xcd9e8d57
const W0 = 0x9e3779b9
const W1 = 0xbb67ae85
const ROUNDS = 10

/** Returns the upper 32 bits of the product of two unsigned 32-bit integers. */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff
  const aHigh = a >>> 16
  const bLow = b & 0xffff
  const bHigh = b >>> 16
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16)
  const carry = aLow * bHigh + (middle & 0xffff)
  return (aHigh * bHigh + Math.floor(middle / 0x10000) + Math.floor(carry / 0x10000)) >>> 0
}

/**
 * Computes one block of the generator.
 *
 * @param counter four unsigned 32-bit words; the function overwrites them with the four random words of the block
 * @param key two unsigned 32-bit words
 */
export function philox4x32(counter: Uint32Array, key0: number, key1: number): void {
  let c0 = counter[0]!
  let c1 = counter[1]!
  let c2 = counter[2]!
  let c3 = counter[3]!
  for (let round = 0; round < ROUNDS; round++) {
    const high0 = multiplyHigh(M0, c0)
    const low0 = Math.imul(M0, c0)
    const high1 = multiplyHigh(M1, c2)
    const low1 = Math.imul(M1, c2)
    c0 = (high1 ^ c1 ^ key0) >>> 0
    c1 = low1 >>> 0
    c2 = (high0 ^ c3 ^ key1) >>> 0
    c3 = low0 >>> 0
    key0 = (key0 + W0) >>> 0
    key1 = (key1 + W1) >>> 0
  }
  counter[0] = c0
  counter[1] = c1
  counter[2] = c2
  counter[3] = c3
}

const block = new Uint32Array(4)

/**
 * Returns the uniform random number of (seed, position, token), strictly between 0 and 1, with 52 random bits.
 *
 * @param seed 64 bits, unsigned
 * @param position index of the token in the answer
 */
export function uniform(seed: bigint, position: number, token: number): number {
  if (seed !== splitSeed) split(seed)
  block[0] = token
  block[1] = position
  block[2] = 0
  block[3] = 0
  philox4x32(block, key[0]!, key[1]!)
  // Adding 0.5 prevents 0. With 53 random bits the largest number would round to 1, and its Gumbel noise is infinite.
  return ((block[0]! >>> 6) * 0x4000000 + (block[1]! >>> 6) + 0.5) / 0x10000000000000
}

// The seed is split once for many draws, because arithmetic on bigints is slower than the generator.
const key = new Uint32Array(2)
let splitSeed = -1n

function split(seed: bigint): void {
  key[0] = Number(seed & 0xffffffffn)
  key[1] = Number(seed >> 32n)
  splitSeed = seed
}
