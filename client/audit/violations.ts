import type { Violation } from '@potluck/protocol'

const SENTENCES: Readonly<Record<Violation, string>> = {
  prompt: 'the peer answered another prompt than the one in the request',
  continuation: 'the peer continued another answer than the one in the request',
  usage: 'the token counts do not match the tokens',
  finish: 'the answer stopped too early or too late',
  text: 'the text, the reasoning or the tool calls do not follow from the tokens',
  logprobs: 'the log-probabilities are not those of the model'
}

/** Describes a broken rule in a sentence, without a capital letter and a full stop. */
export function describeViolation(violation: Violation): string {
  return SENTENCES[violation]
}
