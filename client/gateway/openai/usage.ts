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
