/** Reads questions from a terminal or a pipe. On a terminal, a question can have several lines. */
import type { Interface } from 'node:readline'

import { pushable } from 'it-pushable'

/** Begins and ends a question of several lines. */
const FENCE = '"""'

export interface QuestionOptions {
  lines: Pick<Interface, 'on' | 'line'>
  /** Whether lines that arrive together, such as a paste, are one question. In a pipe each line is a question. */
  isTerminal: boolean
  /** Called when the next line belongs to a question that has begun. */
  onMore: () => void
}

/** Yields each question, until the input ends. */
export function questionsOf({ lines, isTerminal, onMore }: QuestionOptions): AsyncIterable<string> {
  const questions = pushable<string>({ objectMode: true })
  /** Lines of a question that may have more lines. */
  let begun: string[] = []
  let isFenced = false
  let flushing: NodeJS.Immediate | undefined

  const flush = (): void => {
    flushing = undefined
    // The last line of a paste waits for Enter, if it did not end with a newline.
    if (begun.length === 0 || isFenced || lines.line !== '') return
    questions.push(begun.join('\n'))
    begun = []
  }
  lines.on('line', (line) => {
    const opens = !isFenced && begun.length === 0 && line.trimStart().startsWith(FENCE)
    const text = opens ? line.trimStart().slice(FENCE.length) : line
    const isLast = (isFenced || opens) && text.trimEnd().endsWith(FENCE)
    begun.push(isLast ? text.trimEnd().slice(0, -FENCE.length) : text)
    isFenced = (isFenced || opens) && !isLast
    if (isLast) begun = [begun.join('\n').trim()]
    // All lines of a paste arrive in the same turn of the event loop.
    if (isTerminal && !isLast) flushing ??= setImmediate(flush)
    else flush()
    if (isFenced) onMore()
  })
  lines.on('close', () => {
    clearImmediate(flushing)
    isFenced = false
    if (begun.length > 0) questions.push(begun.join('\n'))
    questions.end()
  })
  return questions
}
