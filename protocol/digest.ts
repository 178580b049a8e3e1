/** A model digest as text: `sha256:` and 64 hexadecimal digits, as Ollama and the model hubs write it. */

const PATTERN = /^(?:sha256[:-])?([0-9a-f]{64})$/i

/** The 32 bytes, or undefined where the text is no digest. */
export function parseDigest(text: string): Uint8Array | undefined {
  const hex = PATTERN.exec(text)?.[1]
  if (hex === undefined) return undefined
  return Uint8Array.from({ length: 32 }, (_, index) => Number.parseInt(hex.slice(index * 2, index * 2 + 2), 16))
}

export function formatDigest(digest: Uint8Array): string {
  return `sha256:${Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('')}`
}
