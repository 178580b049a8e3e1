/** A chat's answer as OpenAI's clients read it: whole, or as chunks. */
import type { AcceptedPart, DeltaPart, FinishPart } from '../../index.ts'
import type { FinishReason, ToolCall } from '@potluck/protocol'

import type { Audits } from '../answers/potluck.ts'
import type { AnswerEvents } from '../answers/respond.ts'
import type { WholeAnswer } from '../answers/whole.ts'
import type { ApiError } from '../errors.ts'
import type { SseEvent } from '../http/sse.ts'
import { fingerprint, newId, shownModel, type Head } from './head.ts'
import { chatLogprobs, type ChatLogprobs } from './logprobs.ts'
import { completionUsage, type CompletionUsage } from './usage.ts'

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

export interface ChatShow {
  /** As the caller wrote it. */
  model: string
  /** Seconds since the epoch. */
  created: number
  logprobs: boolean
  audits: Audits
}

/** @param answers at least one */
export function chatCompletion(answers: readonly WholeAnswer[], show: ChatShow): ChatCompletion {
  const { model, created, logprobs, audits } = show
  const [{ model: answering } = { model: { name: '', digest: '' } }] = answers
  return {
    id: newId('chatcmpl-'),
    object: 'chat.completion',
    created,
    model: shownModel(model, answering),
    system_fingerprint: fingerprint(answering),
    choices: answers.map((answer, index) => ({
      index,
      message: {
        role: 'assistant',
        content: answer.text === '' && answer.toolCalls.length > 0 ? null : answer.text,
        refusal: null,
        ...(answer.reasoning === '' ? {} : { reasoning_content: answer.reasoning }),
        ...(answer.toolCalls.length === 0 ? {} : { tool_calls: answer.toolCalls.map(shownCall) })
      },
      logprobs: logprobs ? chatLogprobs(answer.logprobs) : null,
      finish_reason: answer.finishReason
    })),
    usage: completionUsage(answers, audits)
  }
}

function shownCall({ id, name, arguments: args }: ToolCall): ChatToolCall {
  return { id, type: 'function', function: { name, arguments: args } }
}

/**
 * Chunks. The role stands in a choice's first and in no other, the finish reason in one without content, and
 * the usage, if it was asked for, in one without choices. `[DONE]` comes after a whole answer only.
 */
export class ChatChunks implements AnswerEvents {
  readonly #show: ChatShow & { usage: boolean }
  readonly #id = newId('chatcmpl-')
  readonly #finished: FinishPart[] = []
  #head: Head<'chat.completion.chunk'> | undefined

  constructor(show: ChatShow & { usage: boolean }) {
    this.#show = show
  }

  begin(index: number, { model }: AcceptedPart): SseEvent[] {
    this.#head ??= {
      id: this.#id,
      object: 'chat.completion.chunk',
      created: this.#show.created,
      model: shownModel(this.#show.model, model),
      system_fingerprint: fingerprint(model)
    }
    return [this.#chunk(index, { role: 'assistant', content: '', refusal: null })]
  }

  delta(index: number, { text, reasoning = '', toolCalls = [], logprobs = [] }: DeltaPart): SseEvent[] {
    const shown = this.#show.logprobs && logprobs.length > 0 ? chatLogprobs(logprobs) : null
    if (text === '' && reasoning === '' && toolCalls.length === 0 && shown === null) return []
    const delta = {
      ...(reasoning === '' ? {} : { reasoning_content: reasoning }),
      ...(toolCalls.length === 0 ? {} : { tool_calls: toolCalls.map(shownPiece) }),
      ...(text === '' && (reasoning !== '' || toolCalls.length > 0) ? {} : { content: text })
    }
    return [this.#chunk(index, delta, shown)]
  }

  finish(index: number, part: FinishPart): SseEvent[] {
    this.#finished[index] = part
    return [this.#chunk(index, {}, null, part.finishReason)]
  }

  end(): SseEvent[] {
    const usage = { ...this.#head, choices: [], usage: completionUsage(this.#finished, this.#show.audits) }
    return [...(this.#show.usage ? [{ data: usage }] : []), { data: '[DONE]' }]
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
    return { data: { ...this.#head, choices: [{ index, delta, logprobs, finish_reason: finishReason }] } }
  }
}

function shownPiece({ index, id, name, arguments: args }: NonNullable<DeltaPart['toolCalls']>[number]): object {
  // Clients take the first piece of a call for its head, and all others for more of its arguments.
  if (id === undefined) return { index, function: { arguments: args } }
  return { index, id, type: 'function', function: { name, arguments: args } }
}
