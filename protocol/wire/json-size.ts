export interface JsonSize {
  /** The maximum number of brackets that are open at once. */
  depth: number
  /** The members of all objects together. */
  members: number
}

/** Measures a JSON text without parsing it. For a text that is not JSON, the numbers have no meaning. */
export function measureJson(text: string): JsonSize {
  let [depth, deepest, members, inString] = [0, 0, 0, false]
  for (let index = 0; index < text.length; index++) {
    const character = text[index]
    if (inString) {
      if (character === '\\') index++
      else if (character === '"') inString = false
    } else if (character === '"') {
      inString = true
    } else if (character === '{' || character === '[') {
      deepest = Math.max(deepest, ++depth)
    } else if (character === '}' || character === ']') {
      depth--
    } else if (character === ':') {
      members++
    }
  }
  return { depth: deepest, members }
}
