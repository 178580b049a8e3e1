import type { LlamaModel, Token } from 'node-llama-cpp'
import { pieceOf, type Piece, type Vocabulary } from '../vocabulary.ts'

const NOTHING: Piece = pieceOf(new Uint8Array())
/** The character that SentencePiece writes for a space. */
const SPACE_MARK = '\u2581'

/**
 * The bytes of each token, from the texts in the file. The library's own detokeniser returns strings, which lose the
 * bytes of a character that spans several tokens.
 */
export class LlamaVocabulary implements Vocabulary {
  readonly #model: LlamaModel
  readonly #texts: readonly string[]
  readonly #tokenizer: string
  readonly #pieces: Piece[] = []
  readonly #ends = new Map<number, boolean>()

  constructor(model: LlamaModel) {
    const { tokens, model: tokenizer } = model.fileInfo.metadata.tokenizer.ggml
    this.#model = model
    this.#texts = tokens
    this.#tokenizer = tokenizer
  }

  get size(): number {
    return this.#texts.length
  }

  piece(token: number): Piece {
    return (this.#pieces[token] ??= this.#makePiece(token as Token))
  }

  /** Returns the bytes of a token in a template. A control token has bytes there too, unless it ends an answer. */
  markOf(token: number): Uint8Array {
    const { bytes } = this.piece(token)
    return bytes.length > 0 || this.isEnd(token) ? bytes : Buffer.from(this.#texts[token] ?? '')
  }

  /**
   * Makes these tokens visible in answers from now on, even control tokens, because they mark the parts of an answer.
   */
  show(tokens: readonly number[]): void {
    for (const token of tokens) this.#pieces[token] = pieceOf(this.markOf(token))
  }

  isEnd(token: number): boolean {
    let end = this.#ends.get(token)
    if (end === undefined) {
      end = this.#model.isEogToken(token as Token)
      this.#ends.set(token, end)
    }
    return end
  }

  /** Returns the most bytes of one token. */
  longestPiece(): number {
    return this.#texts.reduce((longest, text) => Math.max(longest, Buffer.byteLength(text)), 1)
  }

  #makePiece(token: Token): Piece {
    const attributes = this.#model.getTokenAttributes(token)
    if (attributes.control || attributes.unknown) return NOTHING
    const text = this.#texts[token] ?? ''
    if (attributes.userDefined) return pieceOf(Buffer.from(text))
    if (this.#tokenizer === 'gpt2') return pieceOf(byteLevel(text))
    if (this.#tokenizer !== 'llama') return pieceOf(Buffer.from(this.#model.detokenize([token], false)))
    if (attributes.byte) return pieceOf(Uint8Array.of(Number(text.slice(1, -1))))
    return pieceOf(Buffer.from(text.replaceAll(SPACE_MARK, ' ')))
  }
}

/** GPT-2's alphabet: each byte has a printable character. A printable byte has the character with the same number. */
const BYTE_OF_CHARACTER: ReadonlyMap<string, number> = byteAlphabet()

function byteAlphabet(): Map<string, number> {
  const alphabet = new Map<string, number>()
  let next = 256
  for (let byte = 0; byte < 256; byte++) {
    const printable = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad)
    alphabet.set(String.fromCharCode(printable ? byte : next++), byte)
  }
  return alphabet
}

function byteLevel(text: string): Uint8Array {
  const bytes: number[] = []
  for (const character of text) {
    const byte = BYTE_OF_CHARACTER.get(character)
    // A token that was added by hand can have characters outside the alphabet. Such characters are written as they are.
    if (byte === undefined) bytes.push(...Buffer.from(character))
    else bytes.push(byte)
  }
  return Uint8Array.from(bytes)
}
