/**
 * Checks whether the signed answer is consistent with its request. These checks do not evaluate tokens, and are exact.
 */
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
  // A node that continues an answer uses the prompt ids of the request, so only the client can cause wrong ids there.
  const holds: Partial<Record<Violation, boolean>> = {
    prompt: continuation !== undefined || sameTokens(promptTokens, rendered),
    continuation:
      receipt.firstPosition === earlier.length &&
      sameTokens(answerTokens.slice(0, earlier.length), earlier) &&
      (continuation === undefined || sameTokens(promptTokens, continuation.promptTokens))
  }
  // A partial receipt says nothing about the end of the answer.
  if ('usage' in receipt) {
    const { usage } = receipt
    holds.usage = usage.promptTokens === promptTokens.length && usage.completionTokens === answerTokens.length
    // An honest node refuses a request that does not fit its context, so the context never cuts an answer short.
    holds.finish =
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
 * A false statement that the node sent but did not sign. The client that received it knows for certain that it is
 * false, but cannot prove to others that the node sent it.
 *
 * - `text`: the text that the node sent is not the text of the tokens
 */
export type Misstatement = 'text'

export function misstatementsOf(
  { receipt }: VerifiedAnswer,
  parsed: ParsedAnswer,
  received: ReceivedAnswer
): Misstatement[] {
  // In a continued answer, another node sent the beginning of the text.
  return receipt.firstPosition > 0 || received.text === parsed.text ? [] : ['text']
}

export function sameTokens(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((token, index) => token === b[index])
}
