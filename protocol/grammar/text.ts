/** Terminals for plain text: fixed bytes, and any text up to a marker. */
import { Terminal, type TerminalStatus } from './machine.ts'

const encoder = new TextEncoder()

/** Exactly these bytes, at least one byte. */
export class Literal extends Terminal {
  override readonly start = 0
  readonly #bytes: Uint8Array

  constructor(text: string) {
    super()
    this.#bytes = encoder.encode(text)
  }

  override step(state: number, byte: number): number | undefined {
    return this.#bytes[state] === byte ? state + 1 : undefined
  }

  override status(state: number): TerminalStatus {
    return state === this.#bytes.length ? 'done' : 'open'
  }

  override keyOf(state: number): string {
    return String(state)
  }
}

/** The state of `unlike` as soon as the text differs from the marker: any byte can follow. */
const UNLIKE = -1

/**
 * Any text, with a rule about a marker:
 *
 * - `until`: the text ends with the first marker
 * - `without`: the text does not contain the marker
 * - `unlike`: the text does not begin with the marker
 *
 * The state counts the bytes at the end of the text so far that match the beginning of the marker. For example, it is 3
 * after `ab</t` if the marker is `</think>`. (Knuth, Morris and Pratt, 1977.)
 */
export class FreeText extends Terminal {
  override readonly start = 0
  readonly kind: 'until' | 'without' | 'unlike'
  readonly #marker: Uint8Array
  /**
   * At index N: the number of bytes that can still match if N bytes of the marker matched and the next byte does not.
   * For the marker `abac`, the value at index 3 is 1: in `aba`, the last byte can be the beginning of another `abac`.
   */
  readonly #borders: readonly number[]

  constructor(kind: 'until' | 'without' | 'unlike', marker: string) {
    super()
    this.kind = kind
    this.#marker = encoder.encode(marker)
    this.#borders = bordersOf(this.#marker)
  }

  /** The last byte of the marker. Only a token that contains this byte can complete the marker. */
  get lastByte(): number {
    return this.#marker.at(-1)!
  }

  override step(state: number, byte: number): number | undefined {
    if (state === UNLIKE || (this.kind === 'unlike' && this.#marker[state] !== byte)) return UNLIKE
    let length = state
    while (length > 0 && this.#marker[length] !== byte) length = this.#borders[length]!
    if (this.#marker[length] === byte) length++
    return length === this.#marker.length && this.kind !== 'until' ? undefined : length
  }

  override status(state: number): TerminalStatus {
    if (this.kind !== 'until') return 'whole'
    return state === this.#marker.length ? 'done' : 'open'
  }

  override keyOf(state: number): string {
    return String(state)
  }
}

function bordersOf(marker: Uint8Array): number[] {
  const borders = [0, 0]
  let length = 0
  for (let end = 1; end < marker.length; end++) {
    while (length > 0 && marker[end] !== marker[length]) length = borders[length]!
    if (marker[end] === marker[length]) length++
    borders.push(length)
  }
  return borders
}
