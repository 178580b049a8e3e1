/** Sets of Unicode characters, as ranges of code points. */

/** Ranges of code points, with both ends. They can overlap. */
export type CharacterSet = readonly (readonly [number, number])[]

/**
 * The characters that a text can have: no surrogates, which UTF-8 cannot encode, and of the control characters below 32
 * only those that have a short escape in JSON.
 */
export const ALPHABET: CharacterSet = [
  [8, 10],
  [12, 13],
  [0x20, 0xd7ff],
  [0xe000, 0x10ffff]
]

const DIGIT: CharacterSet = [[0x30, 0x39]]
const WORD: CharacterSet = [...DIGIT, [0x41, 0x5a], [0x5f, 0x5f], [0x61, 0x7a]]
/** The blanks of JavaScript's `\s`. */
const BLANK: CharacterSet = [
  [9, 13],
  [0x20, 0x20],
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x2028, 0x2029],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
  [0xfeff, 0xfeff]
]

/** The characters of the escapes that stand for a class. */
export const CLASSES: Readonly<Record<string, CharacterSet>> = {
  d: DIGIT,
  D: without(ALPHABET, DIGIT),
  w: WORD,
  W: without(ALPHABET, WORD),
  s: BLANK,
  S: without(ALPHABET, BLANK)
}

/** The characters of `.`: all but the ends of lines. */
export const DOT: CharacterSet = without(ALPHABET, [
  [10, 10],
  [13, 13],
  [0x2028, 0x2029]
])

/** The characters of a set that are not in another set. */
export function without(set: CharacterSet, other: CharacterSet): CharacterSet {
  return other.reduce<CharacterSet>(
    (left, [low, high]) =>
      left.flatMap(([first, last]): [number, number][] => {
        if (high < first || low > last) return [[first, last]]
        const before: [number, number][] = first < low ? [[first, low - 1]] : []
        return last > high ? [...before, [high + 1, last]] : before
      }),
    set
  )
}
