/**
 * Checks whether the signed answer is consistent with its request. These checks do not evaluate tokens, and are exact.
 */
import { equals } from 'uint8arrays/equals'

import { RENDERING } from '../constants.ts'
import { contentDigest } from '../records/content.ts'
import type { Violation } from '../wire/audit.ts'
import { areWellFormed } from './logprobs.ts'
import type { ParsedAnswer } from './scorer.ts'
import type { VerifiedAnswer } from '../records/verified-answer.ts'

/**
 * Returns the rules that the answer violates, in no particular order. The list is empty for every honest node.
 *
 * @param rendered the token ids that the model's template and tokenizer give for the request's input
 * @param parsed parsed from the answer's tokens, from the node's first position on
 * @param before parsed from the answer's tokens before that position; undefined if it is 0
 */
export function violationsOf(
  answer: VerifiedAnswer,
  rendered: readonly number[],
  parsed: ParsedAnswer,
  before: ParsedAnswer | undefined
): Violation[] {
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
  // A partial receipt covers only the ids and the fingerprints, and says nothing about the end of the answer.
  if ('usage' in receipt) {
    const { usage } = receipt
    holds.usage = usage.promptTokens === promptTokens.length && usage.completionTokens === answerTokens.length
    // An honest node refuses a request that does not fit its context, so the context never cuts an answer short.
    holds.finish =
      receipt.finishReason === 'length'
        ? end === undefined && answerTokens.length === request.maxTokens
        : end === answerTokens.length && answerTokens.length <= request.maxTokens
    // Another version of the rendering can derive another text from the same ids.
    holds.text =
      receipt.rendering !== RENDERING ||
      (equals(receipt.contentDigest, contentDigest(parsed)) && saysOf(before, receipt.earlierContentDigest))
    holds.logprobs = answer.logprobs === undefined || areWellFormed(answer.logprobs, answer, parsed.spelt)
  }
  return (Object.keys(holds) as Violation[]).filter((violation) => !holds[violation])
}

/** Whether a receipt has the digest of what the tokens before its first position say, if there are any. */
function saysOf(before: ParsedAnswer | undefined, digest: Uint8Array | undefined): boolean {
  if (before === undefined || digest === undefined) return before === digest
  return equals(digest, contentDigest(before))
}

export function sameTokens(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((token, index) => token === b[index])
}
