/** Text that a peer wrote, made safe to look at. */

/**
 * Control characters except tab and line feed. A terminal into which the user pastes the text would obey some of them.
 */
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/gu // oxlint-disable-line no-control-regex
/** Characters that change the direction of the text after them, so that it reads differently than it is. */
const DIRECTIONS = /[\u202a-\u202e\u2066-\u2069]/gu
/** The block of Unicode with a picture for each ASCII control character. */
const PICTURES = 0x2400

/** Replaces control characters by pictures of them, and marks of direction by their code. */
export function visible(text: string): string {
  return text
    .replaceAll('\r\n', '\n')
    .replace(CONTROLS, (found) => {
      const code = found.charCodeAt(0)
      if (code < 0x20) return String.fromCharCode(PICTURES + code)
      return code === 0x7f ? '\u2421' : '\ufffd'
    })
    .replace(DIRECTIONS, (found) => `[U+${found.charCodeAt(0).toString(16).toUpperCase()}]`)
}
