/** What a token adds to the text. */
export interface Piece {
  /** The token's own bytes, which may be part of a character; none for control tokens. */
  bytes: Uint8Array
  /** The bytes as text, if they are whole characters. */
  text: string | undefined
}

/** The narrow view of a model's vocabulary that makes text from token ids. */
export interface Vocabulary {
  /** Ids are below it. */
  readonly size: number
  piece: (token: number) => Piece
  /** Whether the model ends its answer with this token. */
  isEnd: (token: number) => boolean
}

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Makes a piece from a token's bytes. */
export function pieceOf(bytes: Uint8Array): Piece {
  return { bytes, text: decodeWhole(bytes) }
}

function decodeWhole(bytes: Uint8Array): string | undefined {
  try {
    return strict.decode(bytes)
  } catch (error) {
    if (error instanceof TypeError) return undefined
    throw error
  }
}
