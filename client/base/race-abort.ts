import { PotluckError } from '@potluck/protocol'
import { raceSignal } from 'race-signal'

/**
 * Waits for the promise or the caller's signal.
 *
 * @throws PotluckError `aborted`
 */
export async function raceAbort<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return await raceSignal(promise, signal, {
    translateError: ({ reason }) =>
      reason instanceof PotluckError ? reason : new PotluckError('aborted', 'aborted by the caller', { cause: reason })
  })
}
