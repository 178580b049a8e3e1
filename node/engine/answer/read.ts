import type { ReadJob, ParsedAnswer } from '@potluck/protocol'
import { AnswerText } from './text.ts'
import type { Shaper } from '../shape/shaper.ts'
import type { Vocabulary } from './vocabulary.ts'

/** What an answer's tokens mean, by the same code that made text of them when they were generated. */
export function readAnswer(
  { answerTokens, stop, shape }: ReadJob,
  vocabulary: Vocabulary,
  shaper: Shaper
): ParsedAnswer {
  const answer = new AnswerText(stop)
  // The ids of calls are no part of the text.
  const parser = shaper.parser(shape, { promptTokens: [], seed: 0n })
  const content = (text: string): string => parser?.push(text).text ?? text
  const rest = (): string => content(answer.finish()) + (parser?.finish().text ?? '')
  let text = ''
  for (const [index, token] of answerTokens.entries()) {
    const end = vocabulary.isEnd(token)
    if (!end) text += content(answer.push(vocabulary.piece(token)))
    if (end || answer.stopped) return { text: text + rest(), end: index + 1 }
  }
  return { text: text + rest() }
}
