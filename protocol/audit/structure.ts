/** The checks that need no evaluation and are certain: whether the signed answer is consistent with its request. */
import type { Violation } from '../wire/audit.ts'
import type { ParsedAnswer } from './scorer.ts'
import type { VerifiedAnswer } from './verified-answer.ts'

/**
 * Returns the rules that the answer violates, in no particular order. The list is empty for every honest node.
 *
 * @param rendered the token ids that the model's template and tokenizer give for the request's input
 * @param parsed parsed from the answer's tokens
 */
export function violationsOf(answer: VerifiedAnswer, rendered: readonly number[], parsed: ParsedAnswer): Violation[] {
  const { request, receipt, promptTokens, answerTokens } = answer
  const { end } = parsed
  const { continuation } = request
  const earlier = continuation?.answerTokens ?? []
  const { usage } = receipt
  // A node that continues an answer uses the prompt ids of the request. The caller must make sure that they are right.
  const holds: Record<Violation, boolean> = {
    prompt: continuation !== undefined || sameTokens(promptTokens, rendered),
    continuation:
      receipt.firstPosition === earlier.length &&
      sameTokens(answerTokens.slice(0, earlier.length), earlier) &&
      (continuation === undefined || sameTokens(promptTokens, continuation.promptTokens)),
    usage: usage.promptTokens === promptTokens.length && usage.completionTokens === answerTokens.length,
    // An honest node refuses a request that does not fit its context, so the context never cuts an answer short.
    finish:
      receipt.finishReason === 'length'
        ? end === undefined && answerTokens.length === request.maxTokens
        : end === answerTokens.length && answerTokens.length <= request.maxTokens
  }
  return (Object.keys(holds) as Violation[]).filter((violation) => !holds[violation])
}

/** What the client received from the node without a signature. */
export interface ReceivedAnswer {
  /** The whole text of the answer, as the node sent it. */
  text: string
}

/**
 * A false statement that the node sent but did not sign. It is certain for the client that received it, but proves
 * nothing to others.
 *
 * - `text`: the node sent another text than that of the tokens
 */
export type Misstatement = 'text'

export function misstatementsOf(
  { receipt }: VerifiedAnswer,
  parsed: ParsedAnswer,
  received: ReceivedAnswer
): Misstatement[] {
  // Another node sent the beginning of a continued answer.
  return receipt.firstPosition > 0 || received.text === parsed.text ? [] : ['text']
}

function sameTokens(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((token, index) => token === b[index])
}
