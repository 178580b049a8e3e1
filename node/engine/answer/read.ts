import type { ReadJob, ParsedAnswer } from '@potluck/protocol'
import type { ConstraintCompiler } from '../output/compiler.ts'
import type { Vocabulary } from '../vocabulary.ts'
import { AnswerText } from './text.ts'

/**
 * Returns the text and the end of an answer. A generation makes its text with the same classes, so the results are
 * equal.
 */
export function readAnswer(
  { answerTokens, stop, constraint }: ReadJob,
  vocabulary: Vocabulary,
  compiler: ConstraintCompiler
): ParsedAnswer {
  const answer = new AnswerText(stop)
  // The ids of tool calls do not matter here, because they are not part of the text.
  const parser = compiler.parser(constraint, { promptTokens: [], seed: 0n })
  const grammar = compiler.grammar(constraint)
  const content = (text: string): string => parser?.push(text).text ?? text
  const rest = (): string => content(answer.finish()) + (parser?.finish().text ?? '')
  const parsed = (end?: number): ParsedAnswer => ({
    text: text + rest(),
    ...(end === undefined ? {} : { end }),
    ...(grammar?.failed === true ? { ungrammatical: true } : {})
  })
  let text = ''
  for (const [index, token] of answerTokens.entries()) {
    const end = vocabulary.isEnd(token)
    grammar?.accept(token)
    if (!end) text += content(answer.push(vocabulary.piece(token)))
    if (end || answer.stopped) return parsed(index + 1)
  }
  return parsed()
}
