/** A continued text as OpenAI's clients read it: whole, or as chunks of the same form. */
import type { AcceptedPart, DeltaPart, FinishPart } from '../../index.ts'
import type { FinishReason } from '@potluck/protocol'

import type { Audits } from '../answers/potluck.ts'
import type { AnswerEvents } from '../answers/respond.ts'
import type { WholeAnswer } from '../answers/whole.ts'
import type { ApiError } from '../errors.ts'
import type { SseEvent } from '../http/sse.ts'
import { fingerprint, newId, shownModel, type Head } from './head.ts'
import { completionLogprobs, type CompletionLogprobs } from './logprobs.ts'
import { completionUsage, type CompletionUsage } from './usage.ts'

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

export interface CompletionShow {
  /** As the caller wrote it. */
  model: string
  /** Seconds since the epoch. */
  created: number
  logprobs: boolean
  /** The prompts to show before the answers, one for each; none where they are not asked for. */
  echo: readonly string[]
  /** Answers to one prompt. */
  copies: number
  audits: Audits
}

/** @param answers at least one */
export function completion(answers: readonly WholeAnswer[], show: CompletionShow): Completion {
  const [{ model: answering } = { model: { name: '', digest: '' } }] = answers
  return {
    ...head(show, answering, newId('cmpl-')),
    choices: answers.map(({ text, logprobs, finishReason }, index) => ({
      index,
      text: (show.echo[index] ?? '') + text,
      logprobs: show.logprobs ? completionLogprobs(logprobs, 0) : null,
      finish_reason: finishReason
    })),
    usage: completionUsage(answers, show.audits, show.copies)
  }
}

export class CompletionChunks implements AnswerEvents {
  readonly #show: CompletionShow & { usage: boolean }
  readonly #id = newId('cmpl-')
  readonly #finished: FinishPart[] = []
  /** Characters that each answer has so far. */
  readonly #lengths: number[] = []
  #head: Head<'text_completion'> | undefined

  constructor(show: CompletionShow & { usage: boolean }) {
    this.#show = show
  }

  begin(index: number, { model }: AcceptedPart): SseEvent[] {
    this.#head ??= head(this.#show, model, this.#id)
    const echo = this.#show.echo[index] ?? ''
    return echo === '' ? [] : [this.#chunk({ index, text: echo, logprobs: null, finish_reason: null })]
  }

  delta(index: number, { text, logprobs = [] }: DeltaPart): SseEvent[] {
    const offset = this.#lengths[index] ?? 0
    const shown = this.#show.logprobs && logprobs.length > 0 ? completionLogprobs(logprobs, offset) : null
    if (text === '' && shown === null) return []
    this.#lengths[index] = offset + (shown?.tokens.join('').length ?? 0)
    return [this.#chunk({ index, text, logprobs: shown, finish_reason: null })]
  }

  finish(index: number, part: FinishPart): SseEvent[] {
    this.#finished[index] = part
    return [this.#chunk({ index, text: '', logprobs: null, finish_reason: part.finishReason })]
  }

  end(): SseEvent[] {
    const usage = {
      ...this.#head,
      choices: [],
      usage: completionUsage(this.#finished, this.#show.audits, this.#show.copies)
    }
    return [...(this.#show.usage ? [{ data: usage }] : []), { data: '[DONE]' }]
  }

  fail({ body }: ApiError): SseEvent[] {
    return [{ data: body }]
  }

  #chunk(choice: Choice): SseEvent {
    return { data: { ...this.#head, choices: [choice] } }
  }
}

function head(
  { model, created }: CompletionShow,
  answering: AcceptedPart['model'],
  id: string
): Head<'text_completion'> {
  return {
    id,
    object: 'text_completion',
    created,
    model: shownModel(model, answering),
    system_fingerprint: fingerprint(answering)
  }
}
