import type { ParsedAnswer, ReadJob, ToolCallDelta } from '@potluck/protocol'
import type { ConstraintCompiler } from '../output/compiler.ts'
import type { Vocabulary } from '../vocabulary.ts'
import { addCall, AnswerReader } from './reader.ts'

/** Returns the content and the end of an answer, as a generation makes them. */
export function readAnswer(
  { promptTokens, seed, answerTokens, first = 0, open = false, stop, constraint, spell = [] }: ReadJob,
  vocabulary: Vocabulary,
  compiler: ConstraintCompiler
): ParsedAnswer {
  const reader = new AnswerReader({ promptTokens, seed, stop, constraint }, { vocabulary, compiler })
  const grammar = compiler.grammar(constraint)
  let text = ''
  let reasoning = ''
  const toolCalls: ToolCallDelta[] = []
  let position = 0
  while (position < answerTokens.length && reader.ended === undefined) {
    const token = answerTokens[position]!
    grammar?.accept(token)
    const parts = reader.push(token, !open && position === answerTokens.length - 1)
    if (position++ < first) continue
    text += parts.text
    reasoning += parts.reasoning
    for (const call of parts.calls) addCall(toolCalls, call)
  }
  const known = spell.every((token) => token < vocabulary.size)
  return {
    text,
    reasoning,
    toolCalls,
    ...(reader.ended === undefined ? {} : { end: position }),
    ...(grammar?.failed === true ? { ungrammatical: true } : {}),
    ...(known ? { spelt: spell.map((token) => vocabulary.piece(token).bytes) } : {})
  }
}
