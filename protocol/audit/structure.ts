/** What can be seen for certain, without an evaluation: whether a statement agrees with itself and with the request. */
import type { Violation } from '../wire/audit.ts'
import type { Reading } from './scorer.ts'
import type { Statement } from './statement.ts'

/**
 * Without an order; empty for every honest node.
 *
 * @param rendered the request's input by the model's template and tokenizer
 * @param reading of the answer's tokens
 */
export function violationsOf(statement: Statement, rendered: readonly number[], { end }: Reading): Violation[] {
  const { request, receipt, promptTokens, answerTokens } = statement
  const { continuation } = request
  const earlier = continuation?.answerTokens ?? []
  const { usage } = receipt
  // Who continues takes the ids as they came; whether those are the template's is the caller's affair.
  const holds: Record<Violation, boolean> = {
    prompt: continuation !== undefined || sameTokens(promptTokens, rendered),
    continuation:
      receipt.firstPosition === earlier.length &&
      sameTokens(answerTokens.slice(0, earlier.length), earlier) &&
      (continuation === undefined || sameTokens(promptTokens, continuation.promptTokens)),
    usage: usage.promptTokens === promptTokens.length && usage.completionTokens === answerTokens.length,
    finish:
      answerTokens.length <= request.maxTokens &&
      // Fewer tokens than were asked for may be the node's context, which no receipt tells: see 'cut'.
      (receipt.finishReason === 'stop' ? end === answerTokens.length : end === undefined)
  }
  return (Object.keys(holds) as Violation[]).filter((violation) => !holds[violation])
}

/** What the client that asked knows beside the receipt. */
export interface Heard {
  /** The answer's text as it came, whole. */
  text: string
  /** Of the model, by the node's card. */
  contextLength: number
}

/**
 * What a node told but did not sign; certain for whoever heard it, and no proof for others.
 *
 * - `text`: another text than that of the tokens
 * - `cut`: "length" before the answer was over or the context full
 */
export type Misstatement = 'text' | 'cut'

export function misstatementsOf({ request, receipt }: Statement, reading: Reading, heard: Heard): Misstatement[] {
  const { finishReason, promptTokens, answerTokens, firstPosition } = receipt
  const full = answerTokens >= request.maxTokens || promptTokens + answerTokens >= heard.contextLength
  const found: Misstatement[] = []
  // The beginning of a continued answer was told by another node.
  if (firstPosition === 0 && heard.text !== reading.text) found.push('text')
  if (finishReason === 'length' && !full) found.push('cut')
  return found
}

function sameTokens(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((token, index) => token === b[index])
}
