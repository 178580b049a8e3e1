import { PotluckError } from '@potluck/protocol'
import type { ScoreJob } from '../interface.ts'

/**
 * Token ids come from the network, and llama.cpp ends the process over one that the model does not have.
 *
 * @throws PotluckError `invalid_request` that names the field
 */
export function checkTokens({ promptTokens, answerTokens }: ScoreJob, vocabularySize: number): void {
  const valid = (token: number): boolean => Number.isInteger(token) && token >= 0 && token < vocabularySize
  if (!promptTokens.every(valid)) throw new PotluckError('invalid_request', 'prompt_tokens: an id is unknown')
  if (!answerTokens.every(valid)) throw new PotluckError('invalid_request', 'answer_tokens: an id is unknown')
}

/** What an engine's caller gets for a signal, whatever reason the signal carries. */
export function abortedError(): PotluckError {
  return new PotluckError('aborted', 'the caller gave up')
}
