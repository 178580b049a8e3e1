/** Formats the token counts of chat and text completions. */
import type { AnswerMetadata } from '@potluck/client'
import type { Usage } from '@potluck/protocol'

import { potluckUsage, sumUsage, type PotluckUsage } from '../answers/potluck.ts'
import type { AuditLookup } from '../audits.ts'

export interface CompletionUsage {
  prompt_tokens: number
  completion_tokens: number
  total_tokens: number
  prompt_tokens_details: { cached_tokens: number }
  /** Describes the first answer. If there are more answers, `others` describes them. */
  potluck: PotluckUsage & { others?: PotluckUsage[] }
}

/** Where a stream reports its usage. */
export interface StreamUsage {
  /** In a chunk of its own at the end. */
  usage: boolean
  /** In every chunk. */
  continuous: boolean
}

const NOTHING: Usage = { promptTokens: 0, cachedTokens: 0, completionTokens: 0 }

/** The usage so far, for vLLM's `continuous_usage_stats`. */
export class RunningUsage {
  readonly #copies: number | undefined
  /** Answers that no node has accepted yet count as empty. */
  readonly #answers: { usage: Usage }[] = []

  /** @param copies as in `completionUsage` */
  constructor(copies?: number) {
    this.#copies = copies
  }

  accepted(index: number, promptTokens: number): void {
    while (this.#answers.length <= index) this.#answers.push({ usage: NOTHING })
    const { completionTokens } = this.#answers[index]!.usage
    this.#answers[index] = { usage: { promptTokens, cachedTokens: 0, completionTokens } }
  }

  generated(index: number, tokens: number): void {
    const answer = this.#answers[index]
    if (answer !== undefined)
      answer.usage = { ...answer.usage, completionTokens: answer.usage.completionTokens + tokens }
  }

  get value(): object {
    const { promptTokens, completionTokens } = sumUsage(this.#answers, this.#copies)
    return {
      prompt_tokens: promptTokens,
      completion_tokens: completionTokens,
      total_tokens: promptTokens + completionTokens
    }
  }
}

/**
 * @param answers at least one
 * @param copies how many answers each prompt has. Default: all answers belong to one prompt
 */
export function completionUsage(
  answers: readonly { usage: Usage; metadata: AnswerMetadata }[],
  audits: AuditLookup,
  copies?: number
): CompletionUsage {
  const { promptTokens, cachedTokens, completionTokens } = sumUsage(answers, copies)
  const [first, ...others] = answers.map(({ metadata }) => potluckUsage(metadata, audits))
  if (first === undefined) throw new Error('a usage without answers')
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    prompt_tokens_details: { cached_tokens: cachedTokens },
    potluck: others.length === 0 ? first : { ...first, others }
  }
}
