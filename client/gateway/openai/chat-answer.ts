/** Formats the answers to a chat for OpenAI's clients, whole or as chunks. */
import type { AcceptedPart, DeltaPart, FinishPart } from '@potluck/client'
import type { FinishReason, ToolCall, ToolCallDelta } from '@potluck/protocol'

import type { AnswerEvents, WholeAnswer } from '../answers/respond.ts'
import { AnswerEnd, stopTextOf } from '../answers/stop-sequence.ts'
import type { AuditLookup } from '../audits.ts'
import type { ApiError } from '../errors.ts'
import type { SseEvent } from '../http/sse.ts'
import { head, modelOf, type Head, type HeadOptions } from './head.ts'
import { chatLogprobs, type ChatLogprobs } from './logprobs.ts'
import { completionUsage, RunningUsage, type CompletionUsage, type StreamUsage } from './usage.ts'

interface ChatToolCall {
  id: string
  type: 'function'
  function: { name: string; arguments: string }
}

interface ChatCompletion extends Head<'chat.completion'> {
  choices: {
    index: number
    message: {
      role: 'assistant'
      content: string | null
      refusal: null
      reasoning_content?: string
      tool_calls?: ChatToolCall[]
    }
    logprobs: ChatLogprobs | null
    finish_reason: FinishReason
  }[]
  usage: CompletionUsage
}

export interface ChatAnswerFormat extends HeadOptions {
  logprobs: boolean
  /** The stop sequences that the text includes, see `includedStops`. */
  stops: readonly string[]
  audits: AuditLookup
}

/** @param answers at least one */
export function chatCompletion(answers: readonly WholeAnswer[], format: ChatAnswerFormat): ChatCompletion {
  return {
    ...head('chat.completion', format, modelOf(answers)),
    choices: answers.map((answer, index) => ({
      index,
      message: {
        role: 'assistant',
        content:
          answer.text === '' && answer.toolCalls.length > 0
            ? null
            : answer.text + stopTextOf(answer.logprobs, format.stops),
        refusal: null,
        ...(answer.reasoning === '' ? {} : { reasoning_content: answer.reasoning }),
        ...(answer.toolCalls.length === 0 ? {} : { tool_calls: answer.toolCalls.map(toChatCall) })
      },
      logprobs: format.logprobs ? chatLogprobs(answer.logprobs) : null,
      finish_reason: answer.finishReason
    })),
    usage: completionUsage(answers, format.audits)
  }
}

function toChatCall({ id, name, arguments: args }: ToolCall): ChatToolCall {
  return { id, type: 'function', function: { name, arguments: args } }
}

/**
 * The chunks of a streamed chat. Each answer is a choice. Only the first chunk of a choice has the role. The finish
 * reason comes in a chunk without content. If the caller asked for the usage, it comes in a chunk without choices.
 * `[DONE]` comes last, and only if every answer is complete.
 */
export class ChatChunks implements AnswerEvents {
  readonly #format: ChatAnswerFormat & StreamUsage
  readonly #finished: FinishPart[] = []
  readonly #running: RunningUsage
  readonly #ends: AnswerEnd[] = []
  #head: Head<'chat.completion.chunk'> | undefined

  constructor(format: ChatAnswerFormat & StreamUsage) {
    this.#format = format
    this.#running = new RunningUsage()
  }

  begin(index: number, { model, promptTokens }: AcceptedPart): SseEvent[] {
    this.#running.accepted(index, promptTokens)
    this.#head ??= head('chat.completion.chunk', this.#format, model)
    return [this.#chunk(index, { role: 'assistant', content: '', refusal: null })]
  }

  delta(index: number, { text, reasoning = '', toolCalls = [], logprobs = [], tokens }: DeltaPart): SseEvent[] {
    this.#running.generated(index, tokens.length)
    if (this.#format.stops.length > 0) (this.#ends[index] ??= new AnswerEnd()).add(logprobs)
    const shown = this.#format.logprobs && logprobs.length > 0 ? chatLogprobs(logprobs) : null
    if (text === '' && reasoning === '' && toolCalls.length === 0 && shown === null) return []
    const delta = {
      ...(reasoning === '' ? {} : { reasoning_content: reasoning }),
      ...(toolCalls.length === 0 ? {} : { tool_calls: toolCalls.map(toChatCallDelta) }),
      ...(text === '' && (reasoning !== '' || toolCalls.length > 0) ? {} : { content: text })
    }
    return [this.#chunk(index, delta, shown)]
  }

  finish(index: number, part: FinishPart): SseEvent[] {
    this.#finished[index] = part
    const content = this.#ends[index]?.matched(this.#format.stops)
    return [this.#chunk(index, content === undefined ? {} : { content }, null, part.finishReason)]
  }

  end(): SseEvent[] {
    const usage = { ...this.#head, choices: [], usage: completionUsage(this.#finished, this.#format.audits) }
    return [...(this.#format.usage ? [{ data: usage }] : []), { data: '[DONE]' }]
  }

  fail({ body }: ApiError): SseEvent[] {
    return [{ data: body }]
  }

  #chunk(
    index: number,
    delta: object,
    logprobs: ChatLogprobs | null = null,
    finishReason: FinishReason | null = null
  ): SseEvent {
    const choice = { index, delta, logprobs, finish_reason: finishReason }
    const usage = this.#format.continuous ? { usage: this.#running.value } : {}
    return { data: { ...this.#head, choices: [choice], ...usage } }
  }
}

function toChatCallDelta({ index, id, name, arguments: args }: ToolCallDelta): object {
  // Clients read the name from the first delta of a call, and only arguments from the others.
  if (id === undefined) return { index, function: { arguments: args } }
  return { index, id, type: 'function', function: { name, arguments: args } }
}
