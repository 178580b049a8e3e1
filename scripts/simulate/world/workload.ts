/** The clients' requests. Prompt and answer lengths are log-normal, as in public traces of chats. */
import type { Ask } from '../policies/policy.ts'
import type { Random } from '../random.ts'

const PROMPT_MEDIAN = 120
const ANSWER_MEDIAN = 180
const SIGMA = 0.7
const MOST_ANSWER = 1_024

export const MEAN_NEW_TOKENS: number = PROMPT_MEDIAN * Math.exp(SIGMA ** 2 / 2)
export const MEAN_ANSWER_TOKENS: number = ANSWER_MEDIAN * Math.exp(SIGMA ** 2 / 2)

/**
 * The next turn of a conversation.
 *
 * @param before the previous turn
 */
export function nextAsk(conversation: string, before: Ask | undefined, random: Random): Ask {
  const history = before === undefined ? 0 : before.promptTokens + before.answerTokens
  return {
    conversation,
    promptTokens: history + Math.ceil(random.lognormal(PROMPT_MEDIAN, SIGMA)),
    answerTokens: Math.min(MOST_ANSWER, Math.ceil(random.lognormal(ANSWER_MEDIAN, SIGMA)))
  }
}
