import { partialLength } from './partial-length.ts'

/** What the next characters are. */
type Place = 'before' | 'key' | 'value' | 'string' | 'ended'

/** Rewrites the arguments of `QuotedCalls` as JSON. The text comes in pieces. */
export class QuotedObject {
  readonly #quote: string
  readonly #open: string[] = []
  #place: Place = 'before'

  constructor(quote: string) {
    this.#quote = quote
  }

  get ended(): boolean {
    return this.#place === 'ended'
  }

  /** Returns the JSON of the certain beginning of the text, and the length of this beginning. */
  read(text: string): { json: string; length: number } {
    let json = ''
    let length = 0
    while (!this.ended) {
      const piece = this.#next(text.slice(length))
      if (piece === undefined) break
      json += piece.json
      length += piece.length
      if (piece.length === 0) break
    }
    return { json, length }
  }

  #next(text: string): { json: string; length: number } | undefined {
    if (text === '') return undefined
    if (this.#place === 'key') return this.#key(text)
    return this.#place === 'string' ? this.#string(text) : this.#value(text)
  }

  #key(text: string): { json: string; length: number } | undefined {
    if (/^[\s}]/.test(text)) return this.#value(text)
    const colon = text.indexOf(':')
    if (colon < 0) return undefined
    this.#place = 'value'
    const key = text.slice(0, colon).replaceAll(this.#quote, '').trim()
    return { json: `${JSON.stringify(key)}: `, length: colon + 1 }
  }

  #string(text: string): { json: string; length: number } {
    const at = text.indexOf(this.#quote)
    const length = at < 0 ? text.length - partialLength(text, this.#quote) : at
    const json = JSON.stringify(text.slice(0, length)).slice(1, -1)
    if (at < 0) return { json, length }
    this.#place = 'value'
    return { json: `${json}"`, length: at + this.#quote.length }
  }

  #value(text: string): { json: string; length: number } | undefined {
    if (text.startsWith(this.#quote)) {
      this.#place = 'string'
      return { json: '"', length: this.#quote.length }
    }
    if (this.#quote.startsWith(text)) return undefined
    const character = text[0]!
    if (character === '{' || character === '[') this.#open.push(character)
    if (character === '}' || character === ']') this.#open.pop()
    if (character === '{' || (character === ',' && this.#open.at(-1) === '{')) this.#place = 'key'
    else if (character !== ' ' || this.#place !== 'key') this.#place = this.#open.length === 0 ? 'ended' : 'value'
    return { json: character === ',' ? ', ' : character, length: 1 }
  }
}
