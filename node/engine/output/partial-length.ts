/** Returns the length of the longest suffix of the text that is a prefix of the marker. */
export function partialLength(text: string, marker: string): number {
  let length = Math.min(marker.length - 1, text.length)
  while (length > 0 && !text.endsWith(marker.slice(0, length))) length--
  return Math.max(length, 0)
}
