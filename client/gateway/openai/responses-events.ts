/**
 * Formats a response of the responses API as a stream of named, numbered events. The output consists of items:
 * reasoning, messages and tool calls. Each item is complete before the next item begins.
 */
import type { AcceptedPart, DeltaPart, FinishPart } from '@potluck/client'
import type { PositionLogprobs, ToolCall, ToolCallDelta } from '@potluck/protocol'

import type { AnswerEvents } from '../answers/respond.ts'
import type { ApiError } from '../errors.ts'
import type { SseEvent } from '../http/sse.ts'
import { newId } from './head.ts'
import { isCustomTool, responseEnd, responseHead, type ResponseFormatOptions } from './responses-answer.ts'
import { callItem, messageItem, outputText, reasoningItem, textLogprobs, type OutputItem } from './responses-items.ts'
import type { ResponsesRequest } from './responses-request.ts'

/** The item that is not complete yet. */
type OpenItem =
  | { type: 'reasoning'; id: string; text: string }
  | { type: 'message'; id: string; text: string; logprobs: PositionLogprobs[] }
  | { type: 'call'; index: number; itemId: string; call: ToolCall; custom: boolean }

export class ResponseEvents implements AnswerEvents {
  readonly #request: ResponsesRequest
  readonly #options: ResponseFormatOptions
  readonly #output: OutputItem[] = []
  #head: object = {}
  #open: OpenItem | undefined
  #reasoningTokens = 0
  #sequence = 0
  #end: FinishPart | undefined

  constructor(request: ResponsesRequest, options: ResponseFormatOptions) {
    this.#request = request
    this.#options = options
  }

  begin(_index: number, { model }: AcceptedPart): SseEvent[] {
    this.#head = responseHead(this.#request, { id: this.#options.id, created: this.#options.now(), model })
    return [
      this.#event('response.created', { response: this.#head }),
      this.#event('response.in_progress', { response: this.#head })
    ]
  }

  delta(_index: number, { text, reasoning = '', toolCalls = [], logprobs = [], tokens }: DeltaPart): SseEvent[] {
    const events: SseEvent[] = []
    if (reasoning !== '') {
      this.#reasoningTokens += tokens.length
      events.push(...this.#reasoning(reasoning))
    }
    if (text !== '' || (logprobs.length > 0 && reasoning === '' && toolCalls.length === 0)) {
      events.push(...this.#text(text, logprobs))
    }
    for (const piece of toolCalls) events.push(...this.#call(piece))
    return events
  }

  finish(_index: number, part: FinishPart): SseEvent[] {
    this.#end = part
    const status = part.finishReason === 'length' ? 'incomplete' : 'completed'
    // An answer without any text becomes an empty message.
    const empty = this.#open === undefined && this.#output.length === 0 ? this.#text('', []) : []
    return [...empty, ...this.#close(status)]
  }

  end(): SseEvent[] {
    if (this.#end === undefined) return []
    const end = responseEnd(this.#output, { ...this.#end, reasoningTokens: this.#reasoningTokens }, this.#options)
    const type = this.#end.finishReason === 'length' ? 'response.incomplete' : 'response.completed'
    return [this.#event(type, { response: { ...this.#head, ...end } })]
  }

  fail({ body: { error } }: ApiError): SseEvent[] {
    const { message, code, param } = error
    const response = { ...this.#head, status: 'failed', error: { code, message } }
    // Some clients wait for `response.failed`, others for `error`.
    return [this.#event('response.failed', { response }), this.#event('error', { code, message, param })]
  }

  #reasoning(delta: string): SseEvent[] {
    const events: SseEvent[] = []
    if (this.#open?.type !== 'reasoning') {
      events.push(...this.#close())
      this.#open = { type: 'reasoning', id: newId('rs_'), text: '' }
      events.push(this.#added(reasoningItem(this.#open.id, '', 'in_progress')))
    }
    this.#open.text += delta
    return [...events, this.#inItem('response.reasoning_text.delta', this.#open.id, { content_index: 0, delta })]
  }

  #text(delta: string, logprobs: readonly PositionLogprobs[]): SseEvent[] {
    const events: SseEvent[] = []
    if (this.#open?.type !== 'message') {
      events.push(...this.#close())
      this.#open = { type: 'message', id: newId('msg_'), text: '', logprobs: [] }
      const { id } = this.#open
      events.push(this.#added(messageItem(id, [], 'in_progress')))
      events.push(this.#inItem('response.content_part.added', id, { content_index: 0, part: outputText('', []) }))
    }
    this.#open.text += delta
    this.#open.logprobs.push(...logprobs)
    const fields = { content_index: 0, delta, logprobs: textLogprobs(logprobs) }
    return [...events, this.#inItem('response.output_text.delta', this.#open.id, fields)]
  }

  #call({ index, id = '', name = '', arguments: delta }: ToolCallDelta): SseEvent[] {
    const events: SseEvent[] = []
    if (this.#open?.type !== 'call' || this.#open.index !== index) {
      events.push(...this.#close())
      const call = { id, name, arguments: '' }
      const custom = isCustomTool(this.#request, name)
      this.#open = { type: 'call', index, itemId: newId('fc_'), call, custom }
      const { itemId } = this.#open
      events.push(this.#added(callItem(call, { itemId, status: 'in_progress', custom })))
    }
    const { call, itemId, custom } = this.#open
    call.arguments += delta
    // The text of a custom tool is within the arguments, so it is only known when they are complete.
    if (delta === '' || custom) return events
    return [...events, this.#inItem('response.function_call_arguments.delta', itemId, { delta })]
  }

  /** Ends the open item. Only the last item of a response can be incomplete. */
  #close(status: 'completed' | 'incomplete' = 'completed'): SseEvent[] {
    const open = this.#open
    this.#open = undefined
    switch (open?.type) {
      case undefined:
        return []
      case 'reasoning': {
        const { id, text } = open
        const done = this.#inItem('response.reasoning_text.done', id, { content_index: 0, text })
        return [done, this.#done(reasoningItem(id, text, status))]
      }
      case 'message': {
        const { id, text, logprobs } = open
        const part = outputText(text, logprobs)
        return [
          this.#inItem('response.output_text.done', id, { content_index: 0, text, logprobs: part.logprobs }),
          this.#inItem('response.content_part.done', id, { content_index: 0, part }),
          this.#done(messageItem(id, [part], status))
        ]
      }
      case 'call': {
        const { itemId, call, custom } = open
        const item = callItem(call, { itemId, status, custom })
        if (item.type === 'custom_tool_call') {
          const { input } = item
          return [
            this.#inItem('response.custom_tool_call_input.delta', itemId, { delta: input }),
            this.#inItem('response.custom_tool_call_input.done', itemId, { input }),
            this.#done(item)
          ]
        }
        const { name, arguments: args } = call
        return [
          this.#inItem('response.function_call_arguments.done', itemId, { name, arguments: args }),
          this.#done(item)
        ]
      }
    }
  }

  #added(item: OutputItem): SseEvent {
    return this.#event('response.output_item.added', { output_index: this.#output.length, item })
  }

  #done(item: OutputItem): SseEvent {
    const event = this.#event('response.output_item.done', { output_index: this.#output.length, item })
    this.#output.push(item)
    return event
  }

  #inItem(type: string, itemId: string, fields: object): SseEvent {
    return this.#event(type, { item_id: itemId, output_index: this.#output.length, ...fields })
  }

  #event(type: string, fields: object): SseEvent {
    return { event: type, data: { type, sequence_number: this.#sequence++, ...fields } }
  }
}
