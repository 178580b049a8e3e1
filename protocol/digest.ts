/** Model digests as text: `sha256:` and 64 hexadecimal digits, as Ollama and the model hubs write them. */
import { fromString } from 'uint8arrays/from-string'
import { toString } from 'uint8arrays/to-string'

const PATTERN = /^(?:sha256[:-])?([0-9a-f]{64})$/i

/** Returns the 32 bytes, or undefined if the text is not a digest. The prefix is optional. */
export function parseDigest(text: string): Uint8Array | undefined {
  const hex = PATTERN.exec(text)?.[1]
  return hex === undefined ? undefined : fromString(hex.toLowerCase(), 'hex')
}

export function formatDigest(digest: Uint8Array): string {
  return `sha256:${toString(digest, 'hex')}`
}
