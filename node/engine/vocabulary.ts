/** The text that a token adds. */
export interface Piece {
  /** The token's bytes, which can be a part of a character. Control tokens have none. */
  bytes: Uint8Array
  /** The bytes as text; undefined if they are not whole characters. */
  text: string | undefined
}

/** The part of a model's vocabulary that turns token ids into text. */
export interface Vocabulary {
  /** The number of tokens. All ids are smaller. */
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
