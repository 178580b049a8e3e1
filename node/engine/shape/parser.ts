/**
 * Parts the text of an answer into content, reasoning and calls, as it grows. Like the text itself,
 * what it gives is a function of the pieces so far, so that a node that continues finds its state by
 * pushing the same pieces.
 */
import type { ToolCallDelta } from '@potluck/protocol'
import { bareOpening, type CallFormat, type ReasoningFormat } from './format.ts'
import { JsonEnd } from './json-end.ts'

/** What some text adds. */
export interface Parts {
  text: string
  reasoning: string
  calls: ToolCallDelta[]
}

export interface ParserOptions {
  /** Undefined where no tools were offered. */
  calls?: CallFormat
  /** Undefined where the model does not reason. */
  reasoning?: ReasoningFormat
  /** The id of the answer's call of this index. */
  callId: (index: number) => string
}

/**
 * Where in the answer it is. `opening`: before anything but blanks, and `thinking`, `answering` the same in the
 * reasoning and after it; `head`: in a call, before its arguments; `tail`: after them.
 */
type Place = 'opening' | 'thinking' | 'reasoning' | 'answering' | 'content' | 'head' | 'arguments' | 'tail'

export class AnswerParser {
  readonly #options: ParserOptions
  /** From a call's brace to its arguments, with the name. */
  readonly #head: RegExp | undefined
  #place: Place
  /** Not told yet: it may belong to a marker, or be blanks at an edge. */
  #pending = ''
  #calls = 0
  #json = new JsonEnd()

  constructor(options: ParserOptions) {
    const { calls, reasoning } = options
    this.#options = options
    this.#place = reasoning?.begun === true ? 'thinking' : 'opening'
    if (calls !== undefined) {
      this.#head = new RegExp(`\\{\\s*"${calls.name}":\\s*"([\\w.-]+)",\\s*"${calls.arguments}":\\s*(?=\\S)`)
    }
  }

  /** At least one call is there, and all are whole. */
  get called(): boolean {
    return this.#calls > 0 && this.#place === 'tail'
  }

  /** What looked like a call without a mark may have been a document with the same first key. */
  get #maybeText(): boolean {
    const bare = this.#options.calls?.opening.trim() === ''
    return bare && (this.#place === 'answering' || (this.#place === 'head' && this.#calls === 0))
  }

  push(text: string): Parts {
    const parts: Parts = { text: '', reasoning: '', calls: [] }
    this.#pending += text
    while (this.#advance(parts));
    return parts
  }

  /** The answer is over: what was held back is what it looks like, but for a call that did not begin. */
  finish(): Parts {
    const rest = this.#pending
    this.#pending = ''
    const parts: Parts = { text: '', reasoning: '', calls: [] }
    if (this.#place === 'reasoning') parts.reasoning = rest
    if (this.#place === 'opening' || this.#place === 'content' || this.#maybeText) parts.text = rest
    return parts
  }

  /** Takes some of what is pending; false where more has to come first. */
  #advance(parts: Parts): boolean {
    const { calls, reasoning } = this.#options
    switch (this.#place) {
      case 'opening':
        return this.#open(reasoning)
      case 'thinking':
        return this.#skipBlanks('reasoning')
      case 'answering':
        return this.#skipBlanks('content') && this.#begin()
      case 'reasoning':
        return this.#until(reasoning?.close ?? '', 'answering', (text) => (parts.reasoning += text))
      case 'content':
        return this.#until(calls?.opening.trim() ?? '', 'head', (text) => (parts.text += text))
      case 'head':
      case 'tail':
        return this.#nextCall(parts)
      case 'arguments':
        return this.#argue(parts)
    }
  }

  #open(reasoning: ReasoningFormat | undefined): boolean {
    const begun = this.#pending.trimStart()
    if (reasoning !== undefined && begun.startsWith(reasoning.open)) {
      this.#pending = begun.slice(reasoning.open.length)
      this.#place = 'thinking'
      return true
    }
    if (begun === '' || reasoning?.open.startsWith(begun) === true) return false
    return this.#begin()
  }

  /** The answer itself begins: with a call, if that needs no mark, or with text. */
  #begin(): boolean {
    const { calls } = this.#options
    if (calls === undefined || calls.opening.trim() !== '') {
      this.#place = 'content'
      return true
    }
    const [begun, bare] = [this.#pending.trimStart(), bareOpening(calls)]
    this.#place = bare.startsWith(begun) ? 'answering' : begun.startsWith(bare) ? 'head' : 'content'
    return this.#place !== 'answering'
  }

  #skipBlanks(then: Place): boolean {
    this.#pending = this.#pending.trimStart()
    if (this.#pending === '') return false
    this.#place = then
    return true
  }

  /** Tells what stands before the marker. Blanks around markers are nobody's: the template's, or a habit. */
  #until(marker: string, then: Place, tell: (text: string) => void): boolean {
    const at = marker === '' ? -1 : this.#pending.indexOf(marker)
    if (at >= 0) {
      tell(this.#pending.slice(0, at).trimEnd())
      this.#pending = this.#pending.slice(at + marker.length)
      this.#place = then
      return true
    }
    const certain = this.#pending.slice(0, this.#pending.length - partialLength(this.#pending, marker))
    const told = marker === '' ? certain : certain.trimEnd()
    tell(told)
    this.#pending = this.#pending.slice(told.length)
    return false
  }

  #nextCall(parts: Parts): boolean {
    const match = this.#head?.exec(this.#pending)
    if (match === null || match === undefined) return false
    const index = this.#calls++
    parts.calls.push({ index, id: this.#options.callId(index), name: match[1]!, arguments: '' })
    this.#pending = this.#pending.slice(match.index + match[0].length)
    this.#json = new JsonEnd()
    this.#place = 'arguments'
    return true
  }

  #argue(parts: Parts): boolean {
    const length = this.#json.scan(this.#pending)
    const text = this.#pending.slice(0, length)
    const last = parts.calls.at(-1)
    if (last !== undefined) last.arguments += text
    else if (text !== '') parts.calls.push({ index: this.#calls - 1, arguments: text })
    this.#pending = this.#pending.slice(length)
    if (!this.#json.ended) return false
    this.#place = 'tail'
    return true
  }
}

/** Length of the longest end of the text that begins the marker. */
function partialLength(text: string, marker: string): number {
  let length = Math.min(marker.length - 1, text.length)
  while (length > 0 && !text.endsWith(marker.slice(0, length))) length--
  return Math.max(length, 0)
}
