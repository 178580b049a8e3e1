/** The requests of the callers. Their lengths are log-normal, as in public traces of chats. */
import type { ChatMessage } from '@potluck/protocol'

import { CHARACTERS_PER_TOKEN } from '../../../client/base/constants.ts'
import type { Random } from '../random.ts'

/** All lengths are in tokens. */
const PROMPT_MEDIAN = 120
const ANSWER_MEDIAN = 180
const SIGMA = 0.7
const MOST_ANSWER = 1_024

export const MEAN_NEW_TOKENS: number = PROMPT_MEDIAN * Math.exp(SIGMA ** 2 / 2)
export const MEAN_ANSWER_TOKENS: number = ANSWER_MEDIAN * Math.exp(SIGMA ** 2 / 2)

/** One turn of a conversation. */
export interface Turn {
  conversation: string
  messages: readonly ChatMessage[]
  promptTokens: number
  answerTokens: number
}

/** @param before the last turn of the same conversation */
export function nextTurn(conversation: string, before: Turn | undefined, random: Random): Turn {
  const newTokens = Math.ceil(random.lognormal(PROMPT_MEDIAN, SIGMA))
  const history: readonly ChatMessage[] =
    before === undefined ? [] : [...before.messages, { role: 'assistant', content: textOf(before.answerTokens) }]
  const question = `${conversation}, ${history.length}`.padEnd(newTokens * CHARACTERS_PER_TOKEN)
  return {
    conversation,
    messages: [...history, { role: 'user', content: question }],
    promptTokens: (before === undefined ? 0 : before.promptTokens + before.answerTokens) + newTokens,
    answerTokens: Math.min(MOST_ANSWER, Math.ceil(random.lognormal(ANSWER_MEDIAN, SIGMA)))
  }
}

/** Returns a text for which the client estimates this number of tokens. */
export function textOf(tokens: number): string {
  return ' '.repeat(tokens * CHARACTERS_PER_TOKEN)
}
