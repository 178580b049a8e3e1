/** Terminals of plain text: fixed bytes, and anything up to a marker. */
import { Terminal, type Status } from './machine.ts'

const encoder = new TextEncoder()

/** These bytes; at least one. */
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

  override status(state: number): Status {
    return state === this.#bytes.length ? 'over' : 'open'
  }

  override keyOf(state: number): string {
    return String(state)
  }
}

/** The text has begun otherwise than with the marker: anything may come. */
const UNLIKE = -1

/**
 * Any text. `until`: up to the first marker and with it; `without`: as long as the marker does not come;
 * `unlike`: that does not begin with it. The state is how much of the marker the text's end holds (Knuth,
 * Morris and Pratt, 1977).
 */
export class FreeText extends Terminal {
  override readonly start = 0
  readonly kind: 'until' | 'without' | 'unlike'
  readonly #marker: Uint8Array
  /** For each length of a beginning of the marker, the longest shorter one that it ends with. */
  readonly #borders: readonly number[]

  constructor(kind: 'until' | 'without' | 'unlike', marker: string) {
    super()
    this.kind = kind
    this.#marker = encoder.encode(marker)
    this.#borders = bordersOf(this.#marker)
  }

  /** No token without this byte can end the marker. */
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

  override status(state: number): Status {
    if (this.kind !== 'until') return 'whole'
    return state === this.#marker.length ? 'over' : 'open'
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
