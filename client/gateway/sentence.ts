/** Makes a sentence of a reason that begins with a small letter and has no full stop. */
export function sentence(reason: string): string {
  return `${reason.charAt(0).toUpperCase()}${reason.slice(1)}.`
}
