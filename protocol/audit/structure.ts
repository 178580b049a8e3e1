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
    // No node takes a request that its context may cut short.
    finish:
      receipt.finishReason === 'length'
        ? end === undefined && answerTokens.length === request.maxTokens
        : end === answerTokens.length && answerTokens.length <= request.maxTokens
  }
  return (Object.keys(holds) as Violation[]).filter((violation) => !holds[violation])
}

/** What the client that asked knows beside the receipt. */
export interface Heard {
  /** The answer's text as it came, whole. */
  text: string
}

/**
 * What a node told but did not sign; certain for whoever heard it, and no proof for others.
 *
 * - `text`: another text than that of the tokens
 */
export type Misstatement = 'text'

export function misstatementsOf({ receipt }: Statement, reading: Reading, heard: Heard): Misstatement[] {
  // The beginning of a continued answer was told by another node.
  return receipt.firstPosition > 0 || heard.text === reading.text ? [] : ['text']
}

function sameTokens(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((token, index) => token === b[index])
}
