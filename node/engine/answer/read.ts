import type { ReadJob, Reading } from '@potluck/protocol'
import { AnswerText } from './text.ts'
import type { Vocabulary } from './vocabulary.ts'

/** What an answer's tokens mean, by the same code that made text of them when they were generated. */
export function readAnswer({ answerTokens, stop }: ReadJob, vocabulary: Vocabulary): Reading {
  const answer = new AnswerText(stop)
  let text = ''
  for (const [index, token] of answerTokens.entries()) {
    const end = vocabulary.isEnd(token)
    if (!end) text += answer.push(vocabulary.piece(token))
    if (end || answer.stopped) return { text: text + answer.finish(), end: index + 1 }
  }
  return { text: text + answer.finish() }
}
