/** Finds the end of a JSON object whose text comes in pieces. */
export class JsonEnd {
  #depth = 0
  #inString = false
  #escaped = false
  #ended = false

  get ended(): boolean {
    return this.#ended
  }

  /** Returns the length of the text that belongs to the object. */
  scan(text: string): number {
    for (let index = 0; index < text.length; index++) {
      if (this.#ended) return index
      this.#take(text[index]!)
    }
    return text.length
  }

  #take(character: string): void {
    if (this.#inString) {
      if (this.#escaped) this.#escaped = false
      else if (character === '\\') this.#escaped = true
      else if (character === '"') this.#inString = false
    } else if (character === '"') {
      this.#inString = true
    } else if (character === '{' || character === '[') {
      this.#depth++
    } else if (character === '}' || character === ']') {
      this.#depth--
      this.#ended = this.#depth === 0
    }
  }
}
