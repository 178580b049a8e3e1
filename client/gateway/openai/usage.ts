/** Token counts as chat and text completions show them. */
import type { AnswerMetadata } from '../../index.ts'
import type { Usage } from '@potluck/protocol'

import { potluckUsage, sumUsage, type Audits, type PotluckUsage } from '../answers/potluck.ts'

export interface CompletionUsage {
  prompt_tokens: number
  completion_tokens: number
  total_tokens: number
  prompt_tokens_details: { cached_tokens: number }
  /** Of the first answer; the others follow where there are several. */
  potluck: PotluckUsage & { others?: PotluckUsage[] }
}

/**
 * @param answers at least one
 * @param copies answers to one prompt, which stand side by side; default: all
 */
export function completionUsage(
  answers: readonly { usage: Usage; metadata: AnswerMetadata }[],
  audits: Audits,
  copies?: number
): CompletionUsage {
  const { promptTokens, cachedTokens, completionTokens } = sumUsage(answers, copies)
  const [first, ...others] = answers.map(({ metadata }) => potluckUsage(metadata, audits))
  if (first === undefined) throw new Error('a usage of no answers')
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    prompt_tokens_details: { cached_tokens: cachedTokens },
    potluck: others.length === 0 ? first : { ...first, others }
  }
}
