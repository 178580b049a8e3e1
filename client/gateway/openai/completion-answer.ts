/** Formats text completions for OpenAI's SDKs. A chunk of a stream has the same form as a whole completion. */
import type { AcceptedPart, DeltaPart, FinishPart } from '@potluck/client'
import type { FinishReason } from '@potluck/protocol'

import type { AnswerEvents, WholeAnswer } from '../answers/respond.ts'
import { AnswerEnd, stopTextOf } from '../answers/stop-sequence.ts'
import type { AuditLookup } from '../audits.ts'
import type { ApiError } from '../errors.ts'
import type { SseEvent } from '../http/sse.ts'
import { head, modelOf, type Head, type HeadOptions } from './head.ts'
import { completionLogprobs, type CompletionLogprobs } from './logprobs.ts'
import { completionUsage, RunningUsage, type CompletionUsage, type StreamUsage } from './usage.ts'

interface Completion extends Head<'text_completion'> {
  choices: Choice[]
  usage?: CompletionUsage
}

interface Choice {
  index: number
  text: string
  logprobs: CompletionLogprobs | null
  finish_reason: FinishReason | null
}

export interface CompletionAnswerFormat extends HeadOptions {
  logprobs: boolean
  /** The stop sequences that the text includes, see `includedStops`. */
  stops: readonly string[]
  /** The prompts to repeat before the answers, one per answer. Empty if the caller did not ask for `echo`. */
  echo: readonly string[]
  /** How many answers each prompt has. */
  copies: number
  audits: AuditLookup
}

/** @param answers at least one */
export function completion(answers: readonly WholeAnswer[], format: CompletionAnswerFormat): Completion {
  return {
    ...head('text_completion', format, modelOf(answers)),
    choices: answers.map(({ text, logprobs, finishReason }, index) => ({
      index,
      text: (format.echo[index] ?? '') + text + stopTextOf(logprobs, format.stops),
      logprobs: format.logprobs ? completionLogprobs(logprobs, 0) : null,
      finish_reason: finishReason
    })),
    usage: completionUsage(answers, format.audits, format.copies)
  }
}

/** The chunks of a streamed text completion. `[DONE]` comes last, and only if every answer is complete. */
export class CompletionChunks implements AnswerEvents {
  readonly #format: CompletionAnswerFormat & StreamUsage
  readonly #finished: FinishPart[] = []
  readonly #running: RunningUsage
  readonly #ends: AnswerEnd[] = []
  /** Length of each answer so far, in characters. */
  readonly #lengths: number[] = []
  #head: Head<'text_completion'> | undefined

  constructor(format: CompletionAnswerFormat & StreamUsage) {
    this.#format = format
    this.#running = new RunningUsage(format.copies)
  }

  begin(index: number, { model, promptTokens }: AcceptedPart): SseEvent[] {
    this.#running.accepted(index, promptTokens)
    this.#head ??= head('text_completion', this.#format, model)
    const echo = this.#format.echo[index] ?? ''
    return echo === '' ? [] : [this.#chunk({ index, text: echo, logprobs: null, finish_reason: null })]
  }

  delta(index: number, { text, logprobs = [], tokens }: DeltaPart): SseEvent[] {
    this.#running.generated(index, tokens.length)
    if (this.#format.stops.length > 0) (this.#ends[index] ??= new AnswerEnd()).add(logprobs)
    const offset = this.#lengths[index] ?? 0
    const shown = this.#format.logprobs && logprobs.length > 0 ? completionLogprobs(logprobs, offset) : null
    if (text === '' && shown === null) return []
    this.#lengths[index] = offset + (shown?.tokens.join('').length ?? 0)
    return [this.#chunk({ index, text, logprobs: shown, finish_reason: null })]
  }

  finish(index: number, part: FinishPart): SseEvent[] {
    this.#finished[index] = part
    const text = this.#ends[index]?.matched(this.#format.stops) ?? ''
    return [this.#chunk({ index, text, logprobs: null, finish_reason: part.finishReason })]
  }

  end(): SseEvent[] {
    const usage = {
      ...this.#head,
      choices: [],
      usage: completionUsage(this.#finished, this.#format.audits, this.#format.copies)
    }
    return [...(this.#format.usage ? [{ data: usage }] : []), { data: '[DONE]' }]
  }

  fail({ body }: ApiError): SseEvent[] {
    return [{ data: body }]
  }

  #chunk(choice: Choice): SseEvent {
    const usage = this.#format.continuous ? { usage: this.#running.value } : {}
    return { data: { ...this.#head, choices: [choice], ...usage } }
  }
}
