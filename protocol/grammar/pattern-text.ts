/** The terminal for texts that match a pattern, as the content of a JSON string or as plain text. */
import { Terminal, type TerminalStatus } from './machine.ts'
import type { Automaton } from './regex/automaton.ts'

const QUOTE = 0x22
const BACKSLASH = 0x5c
/** The characters that a JSON string contains only as an escape, by the byte after the backslash. */
const ESCAPES: ReadonlyMap<number, number> = new Map([
  [QUOTE, QUOTE],
  [BACKSLASH, BACKSLASH],
  [0x62, 8],
  [0x74, 9],
  [0x6e, 10],
  [0x66, 12],
  [0x72, 13]
])
const ESCAPED: ReadonlySet<number> = new Set(ESCAPES.values())

/** The state of a JSON string after its closing quote. */
const ENDED = -1
/** A state combines the automaton's state, the number of characters, and the bytes of an incomplete character. */
const PENDING = 2 ** 24
const LENGTHS = 2 ** 15

/**
 * The characters of a text that the automaton accepts. Each text has one spelling: a character is escaped only if JSON
 * requires it, and then with the short escape. In a JSON string, the closing quote follows.
 */
export class PatternText extends Terminal {
  override readonly start = 0
  readonly #automaton: Automaton
  readonly #most: number
  readonly #json: boolean
  readonly #longest: number

  /**
   * @param most maximum number of characters, at most `MAX_STRING_LENGTH`
   * @param json whether the text is in a JSON string
   */
  constructor(automaton: Automaton, { most, json }: { most: number; json: boolean }) {
    super()
    this.#automaton = automaton
    this.#most = most
    this.#json = json
    this.#longest = automaton.longestDistance
  }

  /** Whether there is a text. */
  get possible(): boolean {
    return this.#automaton.distance(0) <= this.#most
  }

  override step(state: number, byte: number): number | undefined {
    const pending = state % PENDING
    if (state === ENDED) return undefined
    if (pending !== 0) return this.#complete(state - pending, pending, byte)
    if (this.#json) {
      if (byte === QUOTE) return this.#accepts(state) ? ENDED : undefined
      if (byte === BACKSLASH) return this.#canEscape(state) ? state + byte : undefined
      if (byte < 0x20) return undefined
    }
    if (byte < 0x80) return this.#advance(state, byte)
    return byte >= 0xc2 && byte <= 0xf4 ? this.#begin(state, byte) : undefined
  }

  override status(state: number): TerminalStatus {
    if (this.#json) return state === ENDED ? 'done' : 'open'
    return state % PENDING === 0 && this.#accepts(state) ? 'whole' : 'open'
  }

  override keyOf(state: number, reach: number): string {
    const [place, length] = [Math.floor(state / PENDING / LENGTHS), lengthOf(state)]
    const room = this.#most - length
    return [place, state % PENDING, room > reach + this.#longest ? '*' : room].join()
  }

  #accepts(state: number): boolean {
    return this.#automaton.distance(Math.floor(state / PENDING / LENGTHS)) === 0
  }

  #canEscape(state: number): boolean {
    return [...ESCAPED].some((character) => this.#advance(state, character) !== undefined)
  }

  /** Handles the byte after a backslash, or the next byte of a UTF-8 sequence. */
  #complete(state: number, pending: number, byte: number): number | undefined {
    if (pending === BACKSLASH && this.#json) {
      const character = ESCAPES.get(byte)
      return character === undefined ? undefined : this.#advance(state, character)
    }
    return byte >= 0x80 && byte <= 0xbf ? this.#begin(state, pending * 256 + byte) : undefined
  }

  /** @param bytes the first bytes of a UTF-8 sequence */
  #begin(state: number, bytes: number): number | undefined {
    const { first, last } = charactersOf(bytes)
    if (first > last) return undefined
    if (first === last) return this.#advance(state, first)
    const place = Math.floor(state / PENDING / LENGTHS)
    const nearest = this.#automaton.nearest(place, first, last)
    return lengthOf(state) + 1 + nearest <= this.#most ? state + bytes : undefined
  }

  #advance(state: number, character: number): number | undefined {
    const length = lengthOf(state) + 1
    const next = this.#automaton.step(Math.floor(state / PENDING / LENGTHS), character)
    if (next === undefined || length + this.#automaton.distance(next) > this.#most) return undefined
    return (next * LENGTHS + length) * PENDING
  }
}

function lengthOf(state: number): number {
  return Math.floor(state / PENDING) % LENGTHS
}

/** The characters whose UTF-8 begins with these bytes. Empty (first above last) for an overlong form. */
function charactersOf(bytes: number): { first: number; last: number } {
  const given: number[] = []
  for (let rest = bytes; rest > 0; rest = Math.floor(rest / 256)) given.unshift(rest % 256)
  const lead = given[0]!
  const length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4
  const bits = given.slice(1).reduce((value, byte) => value * 64 + (byte & 0x3f), lead & (0x7f >> length))
  const width = 64 ** (length - given.length)
  const shortest = length === 2 ? 0x80 : length === 3 ? 0x800 : 0x10000
  return { first: Math.max(bits * width, shortest), last: (bits + 1) * width - 1 }
}
