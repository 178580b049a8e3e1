/**
 * Splits the growing text of an answer into content, reasoning and tool calls. The output depends only on the text. So
 * a node that resumes an answer gets the same state from the same text.
 */
import type { Parser, Parts } from './answer-parts.ts'
import {
  bareOpening,
  type NamedCalls,
  type QuotedCalls,
  type ReasoningFormat,
  type TaggedCalls,
  type ToolCallFormat
} from './chat-format.ts'
import { JsonEnd } from './json-end.ts'
import { partialLength } from './partial-length.ts'
import { QuotedObject } from './quoted-object.ts'

export interface ParserOptions {
  /** Undefined if the request offers no tools. */
  calls?: ToolCallFormat
  /** Undefined if the model does not separate reasoning from its answer. */
  reasoning?: ReasoningFormat
  /** Returns the id of a tool call, by its index in the answer. */
  callId: (index: number) => string
  /** Whether an argument is a string. Only for a format whose arguments stand between tags. Default: all are. */
  isText?: (tool: string, key: string) => boolean
}

/**
 * The position within the answer:
 *
 * - `start`: only blanks so far
 * - `beforeReasoning`: in the reasoning, only blanks so far
 * - `beforeContent`: before the content; the text so far is blank, or can become a call in a format without a marker
 * - `head`: in a call, before its arguments
 * - `key`, `text`, `json`: in the arguments of a call with tags, before a key, in a string and in another value
 * - `quoted`: in the arguments of a call whose strings have quote marks of their own
 * - `tail`: in a call, after its arguments
 */
type Place =
  | 'start'
  | 'beforeReasoning'
  | 'reasoning'
  | 'beforeContent'
  | 'content'
  | 'head'
  | 'arguments'
  | 'key'
  | 'text'
  | 'json'
  | 'quoted'
  | 'tail'

export class AnswerParser implements Parser {
  readonly #options: ParserOptions
  /** Matches the beginning of the first call and of a later one, up to the arguments, and captures the name. */
  readonly #heads: readonly [RegExp, RegExp] | undefined
  #place: Place
  /** Text that can be a part of a marker, or blanks before a marker. */
  #pending = ''
  #calls = 0
  /** The tool of the last call, and how many of its arguments came. Only in a format with tags. */
  #tool = ''
  #keys = 0
  #json = new JsonEnd()
  #quoted = new QuotedObject('')

  constructor(options: ParserOptions) {
    const { calls, reasoning } = options
    this.#options = options
    this.#place = reasoning?.begun === true ? 'beforeReasoning' : 'start'
    if (calls !== undefined) this.#heads = headsOf(calls)
  }

  /** Whether the answer has at least one call and all of them are complete. */
  get called(): boolean {
    return this.#calls > 0 && this.#place === 'tail'
  }

  /**
   * Whether the pending text looks like a call without a marker, but can also be a document with the same first key.
   */
  get #maybeText(): boolean {
    const bare = this.#options.calls?.opening.trim() === ''
    return bare && (this.#place === 'beforeContent' || (this.#place === 'head' && this.#calls === 0))
  }

  /** Adds a piece of text. Returns the parts that are now certain. */
  push(text: string): Parts {
    const parts: Parts = { text: '', reasoning: '', calls: [] }
    this.#pending += text
    while (this.#advance(parts));
    return parts
  }

  /** Ends the answer. Returns the pending text, unless it is the beginning of a call. */
  finish(): Parts {
    const rest = this.#pending
    this.#pending = ''
    const parts: Parts = { text: '', reasoning: '', calls: [] }
    if (this.#place === 'reasoning') parts.reasoning = rest
    if (this.#place === 'start' || this.#place === 'content' || this.#maybeText) parts.text = rest
    return parts
  }

  /** Consumes some of the pending text. Returns false if it needs more text first. */
  #advance(parts: Parts): boolean {
    const { calls, reasoning } = this.#options
    switch (this.#place) {
      case 'start':
        return this.#openReasoning(reasoning)
      case 'beforeReasoning':
        return this.#skipBlanks('reasoning')
      case 'beforeContent':
        return this.#skipBlanks('content') && this.#beginAnswer()
      case 'reasoning':
        return this.#until(reasoning?.close ?? '', 'beforeContent', (text) => (parts.reasoning += text))
      case 'content':
        return this.#until(calls?.opening.trim() ?? '', 'head', (text) => (parts.text += text))
      case 'head':
      case 'tail':
        return this.#nextCall(parts)
      case 'arguments':
        return this.#readArguments(parts)
      case 'key':
        return this.#nextKey(parts, calls as TaggedCalls)
      case 'quoted':
        return this.#readQuoted(parts)
      case 'text':
        return this.#readValue(parts, calls as TaggedCalls, (text) => JSON.stringify(text).slice(1, -1), '"')
      case 'json':
        return this.#readValue(parts, calls as TaggedCalls, (text) => text, '')
    }
  }

  #openReasoning(reasoning: ReasoningFormat | undefined): boolean {
    const begun = this.#pending.trimStart()
    if (reasoning !== undefined && begun.startsWith(reasoning.open)) {
      this.#pending = begun.slice(reasoning.open.length)
      this.#place = 'beforeReasoning'
      return true
    }
    if (begun === '' || reasoning?.open.startsWith(begun) === true) return false
    return this.#beginAnswer()
  }

  /** Begins the answer itself, either with a call in a format without a marker, or with text. */
  #beginAnswer(): boolean {
    const { calls } = this.#options
    if (calls === undefined || calls.opening.trim() !== '') {
      this.#place = 'content'
      return true
    }
    const [begun, bare] = [this.#pending.trimStart(), bareOpening(calls)]
    this.#place = bare.startsWith(begun) ? 'beforeContent' : begun.startsWith(bare) ? 'head' : 'content'
    return this.#place !== 'beforeContent'
  }

  #skipBlanks(then: Place): boolean {
    this.#pending = this.#pending.trimStart()
    if (this.#pending === '') return false
    this.#place = then
    return true
  }

  /** Emits the text before the marker, and drops the blanks around the marker. */
  #until(marker: string, then: Place, emit: (text: string) => void): boolean {
    const at = marker === '' ? -1 : this.#pending.indexOf(marker)
    if (at >= 0) {
      emit(this.#pending.slice(0, at).trimEnd())
      this.#pending = this.#pending.slice(at + marker.length)
      this.#place = then
      return true
    }
    const certain = this.#pending.slice(0, this.#pending.length - partialLength(this.#pending, marker))
    const ready = marker === '' ? certain : certain.trimEnd()
    emit(ready)
    this.#pending = this.#pending.slice(ready.length)
    return false
  }

  #nextCall(parts: Parts): boolean {
    const match = this.#heads?.[this.#calls === 0 ? 0 : 1].exec(this.#pending)
    if (match === null || match === undefined) return false
    const index = this.#calls++
    this.#tool = match[1]!
    this.#keys = 0
    parts.calls.push({ index, id: this.#options.callId(index), name: this.#tool, arguments: '' })
    this.#pending = this.#pending.slice(match.index + match[0].length)
    this.#json = new JsonEnd()
    this.#quoted = new QuotedObject((this.#options.calls as QuotedCalls).quote)
    const { calls } = this.#options
    this.#place = 'beforeKey' in calls! ? 'key' : 'quote' in calls! ? 'quoted' : 'arguments'
    return true
  }

  #readQuoted(parts: Parts): boolean {
    const { json, length } = this.#quoted.read(this.#pending)
    this.#addArguments(parts, json)
    this.#pending = this.#pending.slice(length)
    if (!this.#quoted.ended) return false
    this.#place = 'tail'
    return true
  }

  #readArguments(parts: Parts): boolean {
    const length = this.#json.scan(this.#pending)
    this.#addArguments(parts, this.#pending.slice(0, length))
    this.#pending = this.#pending.slice(length)
    if (!this.#json.ended) return false
    this.#place = 'tail'
    return true
  }

  /** Reads the tags around a key. Anything else ends the arguments. */
  #nextKey(parts: Parts, { beforeKey, afterKey, afterOtherKey }: TaggedCalls): boolean {
    if (this.#pending.length < beforeKey.length && beforeKey.startsWith(this.#pending)) return false
    if (!this.#pending.startsWith(beforeKey)) {
      this.#addArguments(parts, this.#keys === 0 ? '{}' : '}')
      this.#place = 'tail'
      return true
    }
    const found = [afterKey, ...Object.values(afterOtherKey ?? {})]
      .map((mark) => ({ mark, at: this.#pending.indexOf(mark, beforeKey.length) }))
      .filter(({ at }) => at >= 0)
      .sort((one, other) => one.at - other.at)[0]
    if (found === undefined) return false
    const key = this.#pending.slice(beforeKey.length, found.at)
    const isText =
      afterOtherKey === undefined ? (this.#options.isText?.(this.#tool, key) ?? true) : found.mark === afterKey
    this.#addArguments(parts, `${this.#keys++ === 0 ? '{' : ', '}${JSON.stringify(key)}: ${isText ? '"' : ''}`)
    this.#pending = this.#pending.slice(found.at + found.mark.length)
    this.#place = isText ? 'text' : 'json'
    return true
  }

  #readValue(parts: Parts, { afterValue }: TaggedCalls, write: (text: string) => string, closing: string): boolean {
    const at = this.#pending.indexOf(afterValue)
    const certain = this.#pending.length - partialLength(this.#pending, afterValue)
    const text = this.#pending.slice(0, at >= 0 ? at : certain)
    this.#addArguments(parts, write(text))
    this.#pending = this.#pending.slice(text.length)
    if (at < 0) return false
    this.#addArguments(parts, closing)
    this.#pending = this.#pending.slice(afterValue.length)
    this.#place = 'key'
    return true
  }

  #addArguments(parts: Parts, text: string): void {
    const last = parts.calls.at(-1)
    if (last !== undefined) last.arguments += text
    else if (text !== '') parts.calls.push({ index: this.#calls - 1, arguments: text })
  }
}

/** Returns the patterns of the beginning of the first call and of a later one. Blanks in the marks can be missing. */
function headsOf(format: ToolCallFormat): [RegExp, RegExp] {
  const name = '([\\w.-]+)'
  if ('name' in format) {
    const head = new RegExp(`\\{\\s*"${format.name}":\\s*"${name}",\\s*"${format.arguments}":\\s*(?=\\S)`)
    return [head, head]
  }
  const rest = restOf(format)
  const between = looseSource(format.between?.trim() ?? '')
  return [new RegExp(`^\\s*${name}${rest}`), new RegExp(`^\\s*${between}\\s*${name}${rest}`)]
}

/** Returns the pattern of what stands between the name and the arguments. */
function restOf(format: NamedCalls | TaggedCalls | QuotedCalls): string {
  if ('quote' in format) return '(?=\\{)'
  if ('separator' in format) {
    const { beforeId, numbered, separator } = format
    const id = beforeId === undefined ? '' : `${looseSource(beforeId)}${numbered === true ? '\\d+' : '[a-zA-Z0-9]+'}`
    return `${id}${looseSource(separator)}(?=\\S)`
  }
  return format.afterName === '' ? '(?=[^\\w.-])' : exactSource(format.afterName)
}

function looseSource(text: string): string {
  return text.split(/\s+/).map(exactSource).join('\\s*')
}

function exactSource(text: string): string {
  return text.replaceAll(/[$()*+.?[\\\]^{|}]/g, '\\$&')
}
