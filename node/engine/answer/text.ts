/**
 * Turns the pieces of tokens into text. It holds back incomplete characters, and text that can become a stop sequence.
 * The output depends only on the pieces. So a node that resumes an answer gets the same state from the same tokens.
 */
import { concat } from 'uint8arrays/concat'
import type { Piece } from '../vocabulary.ts'

// Bytes that are not UTF-8 become U+FFFD. Without ignoreBOM the decoder would drop a U+FEFF.
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

export class AnswerText {
  readonly #stops: readonly string[]
  /** The first bytes of a character that is not complete. */
  #partial = new Uint8Array()
  #pending = ''
  #stopped = false

  constructor(stops: readonly string[]) {
    this.#stops = stops.filter((stop) => stop !== '')
  }

  /** Whether a stop sequence was found. The text ends before it. */
  get stopped(): boolean {
    return this.#stopped
  }

  /** Adds a token's piece. Returns the text that is now certain. */
  push(piece: Piece): string {
    if (this.#stopped) return ''
    return this.#release(this.#decode(piece))
  }

  /** Ends the answer. Returns the text that was held back. */
  finish(): string {
    if (this.#stopped) return ''
    const rest = this.#pending + decoder.decode(this.#partial)
    this.#pending = ''
    this.#partial = new Uint8Array()
    return rest
  }

  #decode(piece: Piece): string {
    if (this.#partial.length === 0 && piece.text !== undefined) return piece.text
    const bytes = concat([this.#partial, piece.bytes])
    const whole = bytes.length - incompleteTail(bytes)
    this.#partial = bytes.subarray(whole)
    return decoder.decode(bytes.subarray(0, whole))
  }

  #release(text: string): string {
    if (this.#stops.length === 0) return text
    this.#pending += text
    const stop = this.#firstStop()
    if (stop >= 0) {
      this.#stopped = true
      return this.#pending.slice(0, stop)
    }
    const keep = this.#possibleStop()
    const certain = this.#pending.slice(0, this.#pending.length - keep)
    this.#pending = this.#pending.slice(certain.length)
    return certain
  }

  #firstStop(): number {
    let first = -1
    for (const stop of this.#stops) {
      const index = this.#pending.indexOf(stop)
      if (index >= 0 && (first < 0 || index < first)) first = index
    }
    return first
  }

  /** Returns the length of the longest suffix of the pending text that is a prefix of a stop sequence. */
  #possibleStop(): number {
    let longest = 0
    for (const stop of this.#stops) {
      for (let length = Math.min(stop.length - 1, this.#pending.length); length > longest; length--) {
        if (this.#pending.endsWith(stop.slice(0, length))) longest = length
      }
    }
    return longest
  }
}

/** Returns the number of bytes at the end that begin an incomplete character. */
function incompleteTail(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back]!
    if ((byte & 0b1100_0000) === 0b1000_0000) continue
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1
    return length > back ? back : 0
  }
  return 0
}
