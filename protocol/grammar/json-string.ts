/** Terminals for JSON strings: valid UTF-8, no surrogates, a limited number of characters. */
import { MAX_KEY_LENGTH } from './limits.ts'
import { Terminal, type TerminalStatus } from './machine.ts'

const QUOTE = 0x22
const BACKSLASH = 0x5c

/**
 * The position within a character:
 *
 * - `body`: between two characters
 * - `escape`: after a backslash
 * - `hexN`: within an escape like `\u00e9`, with N digits to come
 * - `hex3d`: like `hex3`, if the first digit is `d`. The second digit must be 0 to 7, because the escapes from `\ud800`
 *   to `\udfff` are surrogates.
 * - `moreN`: within a UTF-8 sequence, with N bytes to come
 * - `afterXX`: after the first byte XX of a UTF-8 sequence, which limits the range of the second byte (RFC 3629)
 */
const PLACES = [
  'body',
  'escape',
  'hex4',
  'hex3',
  'hex3d',
  'hex2',
  'hex1',
  'more1',
  'more2',
  'more3',
  'afterE0',
  'afterED',
  'afterF0',
  'afterF4'
] as const
type Place = (typeof PLACES)[number]

/** The position after a byte: within a character, after a whole character, or after the end of the string. */
type Turn = Place | 'character' | 'end'

/** The effect of a byte at a place; undefined if the byte is not allowed. */
function turn(place: Place, byte: number): Turn | undefined {
  switch (place) {
    case 'body':
      return beginCharacter(byte)
    case 'escape':
      if (byte === 0x75) return 'hex4'
      // "\/bfnrt
      return [QUOTE, BACKSLASH, 0x2f, 0x62, 0x66, 0x6e, 0x72, 0x74].includes(byte) ? 'character' : undefined
    case 'hex4':
      if (!isHex(byte)) return undefined
      return byte === 0x64 || byte === 0x44 ? 'hex3d' : 'hex3'
    case 'hex3':
      return isHex(byte) ? 'hex2' : undefined
    case 'hex3d':
      return byte >= 0x30 && byte <= 0x37 ? 'hex2' : undefined
    case 'hex2':
      return isHex(byte) ? 'hex1' : undefined
    case 'hex1':
      return isHex(byte) ? 'character' : undefined
    case 'more1':
      return within(byte, 0x80, 0xbf, 'character')
    case 'more2':
      return within(byte, 0x80, 0xbf, 'more1')
    case 'more3':
      return within(byte, 0x80, 0xbf, 'more2')
    case 'afterE0':
      return within(byte, 0xa0, 0xbf, 'more1')
    case 'afterED':
      return within(byte, 0x80, 0x9f, 'more1')
    case 'afterF0':
      return within(byte, 0x90, 0xbf, 'more2')
    case 'afterF4':
      return within(byte, 0x80, 0x8f, 'more2')
  }
}

function beginCharacter(byte: number): Turn | undefined {
  if (byte === QUOTE) return 'end'
  if (byte === BACKSLASH) return 'escape'
  if (byte < 0x80) return byte < 0x20 ? undefined : 'character'
  if (byte === 0xe0) return 'afterE0'
  if (byte === 0xed) return 'afterED'
  if (byte === 0xf0) return 'afterF0'
  if (byte === 0xf4) return 'afterF4'
  if (byte < 0xc2 || byte > 0xf4) return undefined
  return byte < 0xe0 ? 'more1' : byte < 0xf0 ? 'more2' : 'more3'
}

function isHex(byte: number): boolean {
  return (byte >= 0x30 && byte <= 0x39) || ((byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x66)
}

function within(byte: number, least: number, most: number, then: Turn): Turn | undefined {
  return byte >= least && byte <= most ? then : undefined
}

const ENDED = -1

/** The characters of a string and its closing quote. The state is the number of whole characters, and the place. */
export class JsonString extends Terminal {
  override readonly start = 0
  readonly #least: number
  readonly #most: number

  /**
   * @param least minimum number of Unicode characters; an escape counts as one character
   * @param most maximum number
   */
  constructor(least: number, most: number) {
    super()
    this.#least = least
    this.#most = most
  }

  override step(state: number, byte: number): number | undefined {
    const count = Math.floor(state / PLACES.length)
    const place = PLACES[state % PLACES.length]!
    const next = turn(place, byte)
    if (next === undefined) return undefined
    if (next === 'end') return count >= this.#least ? ENDED : undefined
    if (place === 'body' && count === this.#most) return undefined
    return next === 'character' ? (count + 1) * PLACES.length : count * PLACES.length + PLACES.indexOf(next)
  }

  override status(state: number): TerminalStatus {
    return state === ENDED ? 'done' : 'open'
  }

  /** The number of characters that can follow; undefined within a character. */
  room(state: number): number | undefined {
    return state % PLACES.length === 0 ? this.#most - state / PLACES.length : undefined
  }

  override keyOf(state: number, reach: number): string {
    const count = Math.floor(state / PLACES.length)
    const [room, missing] = [this.#most - count, Math.max(0, this.#least - count)]
    return [state % PLACES.length, room > reach ? '*' : room, missing > reach ? '*' : missing].join()
  }
}

/** Bytes of the longest key that `JsonKey` accepts: the last character can begin just before the limit. */
const LONGEST_KEY = MAX_KEY_LENGTH + 3

/**
 * The characters of a key that the schema does not name, and its closing quote. Escapes are not allowed. With them, the
 * model could spell a named key differently, and the terminal would not recognise it. The state is the place and the
 * bytes so far.
 */
export class JsonKey extends Terminal {
  override readonly start = '0'
  /** The keys that the schema names. Each is a string with one character for each byte of the key's UTF-8. */
  readonly #taken: readonly string[]

  constructor(taken: readonly string[]) {
    super()
    // A longer key is not within the limit, so it does not have to be recognised.
    const encoded = taken.flatMap((key) => (key.length > LONGEST_KEY ? [] : [new TextEncoder().encode(key)]))
    this.#taken = encoded.map((bytes) => String.fromCharCode(...bytes))
  }

  override step(state: string, byte: number): string | undefined {
    const place = Number.parseInt(state[0]!, PLACES.length)
    const bytes = state.slice(1)
    const next = turn(PLACES[place]!, byte)
    if (next === undefined || next === 'escape') return undefined
    if (next === 'end') return this.#taken.includes(bytes) ? undefined : '!'
    // The limit applies where a character begins, so that no character is cut.
    if (place === 0 && bytes.length >= MAX_KEY_LENGTH) return undefined
    const after = next === 'character' ? 0 : PLACES.indexOf(next)
    return after.toString(PLACES.length) + bytes + String.fromCharCode(byte)
  }

  override status(state: string): TerminalStatus {
    return state === '!' ? 'done' : 'open'
  }

  override keyOf(state: string): string {
    const bytes = state.slice(1)
    // If no named key begins with these bytes, only their number matters.
    return this.#taken.some((key) => key.startsWith(bytes)) ? state : `${state[0]}+${bytes.length}`
  }
}
