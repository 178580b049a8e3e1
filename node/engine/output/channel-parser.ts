import type { Parser, Parts } from './answer-parts.ts'
import { CHANNELS } from './channels.ts'
import { JsonEnd } from './json-end.ts'
import { partialLength } from './partial-length.ts'

export interface ChannelParserOptions {
  /** Whether the request offers tools. If not, calls are dropped. */
  calls: boolean
  callId: (index: number) => string
}

type Place = 'header' | 'reasoning' | 'text' | 'arguments' | 'tail'

/** Splits an answer in channels into content, reasoning and a tool call. */
export class ChannelParser implements Parser {
  readonly #options: ChannelParserOptions
  readonly #json = new JsonEnd()
  #place: Place = 'header'
  #pending = ''
  /** Whether a message of the same kind came before, so that an empty line must separate them. */
  #written = { text: false, reasoning: false }

  constructor(options: ChannelParserOptions) {
    this.#options = options
  }

  get called(): boolean {
    return this.#json.ended
  }

  push(text: string): Parts {
    const parts: Parts = { text: '', reasoning: '', calls: [] }
    this.#pending += text
    while (this.#advance(parts));
    return parts
  }

  finish(): Parts {
    const parts: Parts = { text: '', reasoning: '', calls: [] }
    if (this.#place === 'text' || this.#place === 'reasoning') parts[this.#place] = this.#pending
    // An answer that ends before its first header could still have become one.
    if (this.#place === 'header' && !this.#pending.includes('<')) parts.text = this.#pending
    this.#pending = ''
    return parts
  }

  #advance(parts: Parts): boolean {
    switch (this.#place) {
      case 'header':
        return this.#readHeader(parts)
      case 'text':
      case 'reasoning':
        return this.#readText(this.#place, parts)
      case 'arguments':
        return this.#readArguments(parts)
      case 'tail':
        this.#pending = ''
        return false
    }
  }

  #readHeader(parts: Parts): boolean {
    const end = this.#pending.indexOf(CHANNELS.message)
    if (end < 0) return this.#isPlain() && this.#begin('text', parts, 0)
    const header = this.#pending.slice(0, end)
    const length = end + CHANNELS.message.length
    const tool = / to=functions\.([\w.-]+)/.exec(` ${header}`)?.[1]
    if (tool === undefined) {
      return this.#begin(header.includes(`${CHANNELS.channel}analysis`) ? 'reasoning' : 'text', parts, length)
    }
    if (!this.#options.calls) return this.#begin('tail', parts, length)
    parts.calls.push({ index: 0, id: this.#options.callId(0), name: tool, arguments: '' })
    return this.#begin('arguments', parts, length)
  }

  /** Whether the text cannot become a header. */
  #isPlain(): boolean {
    const begun = this.#pending.trimStart()
    return ![CHANNELS.start, CHANNELS.channel, CHANNELS.toTool.trimStart()].some(
      (mark) => begun.startsWith(mark) || mark.startsWith(begun)
    )
  }

  #begin(place: Place, parts: Parts, length: number): true {
    this.#pending = this.#pending.slice(length)
    this.#place = place
    if (place === 'text' || place === 'reasoning') {
      if (this.#written[place]) parts[place] += '\n\n'
      this.#written[place] = true
    }
    return true
  }

  #readText(place: 'text' | 'reasoning', parts: Parts): boolean {
    const at = this.#pending.indexOf(CHANNELS.end)
    const length = at < 0 ? this.#pending.length - partialLength(this.#pending, CHANNELS.end) : at
    parts[place] += this.#pending.slice(0, length)
    if (at >= 0) return this.#begin('header', parts, at + CHANNELS.end.length)
    this.#pending = this.#pending.slice(length)
    return false
  }

  #readArguments(parts: Parts): boolean {
    const length = this.#json.scan(this.#pending)
    const text = this.#pending.slice(0, length)
    const call = parts.calls.at(-1)
    if (call !== undefined) call.arguments += text
    else if (text !== '') parts.calls.push({ index: 0, arguments: text })
    this.#pending = this.#pending.slice(length)
    if (!this.#json.ended) return false
    this.#place = 'tail'
    return true
  }
}
