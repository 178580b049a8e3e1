/**
 * Reads the tokens of an answer: turns them into text, splits the text into content, reasoning and tool calls, and
 * finds the end. The result depends only on the tokens and the request. A generation and an audit both use this class.
 * So if an audit finds other content than the node sent, the reason is not a difference between their code.
 */
import type { OutputConstraint, ToolCallDelta } from '@potluck/protocol'
import type { CallContext, ConstraintCompiler } from '../output/compiler.ts'
import type { Parser, Parts } from '../output/answer-parts.ts'
import type { Vocabulary } from '../vocabulary.ts'
import { AnswerText } from './text.ts'

export interface ReaderOptions extends CallContext {
  stop: readonly string[]
  /** Undefined: the whole answer is text. */
  constraint: OutputConstraint | undefined
}

export class AnswerReader {
  readonly #vocabulary: Vocabulary
  readonly #text: AnswerText
  readonly #stopTokens: ReadonlySet<number>
  readonly #parser: Parser | undefined
  #ended: 'stop' | 'tool_calls' | undefined

  constructor(
    { stop, constraint, ...context }: ReaderOptions,
    { vocabulary, compiler }: { vocabulary: Vocabulary; compiler: ConstraintCompiler }
  ) {
    this.#vocabulary = vocabulary
    this.#text = new AnswerText(stop)
    this.#stopTokens = new Set(constraint?.stopTokens)
    this.#parser = compiler.parser(constraint, context)
  }

  /** How the tokens end the answer; undefined while it continues. */
  get ended(): 'stop' | 'tool_calls' | undefined {
    return this.#ended
  }

  /**
   * Adds a token. Returns what is now certain.
   *
   * @param last no token follows, so nothing is held back
   */
  push(token: number, last: boolean): Parts {
    const end = this.#vocabulary.isEnd(token)
    const text = end ? '' : this.#text.push(this.#vocabulary.piece(token))
    const ended = end || this.#stopTokens.has(token) || this.#text.stopped
    if (!ended && !last) return this.#parse(text)
    const parts = this.#parse(text + this.#text.finish())
    const rest = this.#parser?.finish()
    if (ended) this.#ended = this.#parser?.called === true ? 'tool_calls' : 'stop'
    return rest === undefined ? parts : joined(parts, rest)
  }

  #parse(text: string): Parts {
    return this.#parser?.push(text) ?? { text, reasoning: '', calls: [] }
  }
}

/** Adds a piece of a tool call. Joins consecutive pieces of the same call. */
export function addCall(calls: ToolCallDelta[], call: ToolCallDelta): void {
  const last = calls.at(-1)
  if (last?.index === call.index) last.arguments += call.arguments
  else calls.push({ ...call })
}

function joined(a: Parts, b: Parts): Parts {
  return { text: a.text + b.text, reasoning: a.reasoning + b.reasoning, calls: [...a.calls, ...b.calls] }
}
