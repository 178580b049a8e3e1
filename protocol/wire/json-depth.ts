/** Returns the nesting depth of a JSON text: the maximum number of brackets that are open at once. */
export function jsonDepth(text: string): number {
  let depth = 0
  let most = 0
  let inString = false
  for (let index = 0; index < text.length; index++) {
    const character = text[index]
    if (inString) {
      if (character === '\\') index++
      else if (character === '"') inString = false
    } else if (character === '"') {
      inString = true
    } else if (character === '{' || character === '[') {
      most = Math.max(most, ++depth)
    } else if (character === '}' || character === ']') {
      depth--
    }
  }
  return most
}
