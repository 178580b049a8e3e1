import { abortedBy, PotluckError } from '@potluck/protocol'
import { raceSignal } from 'race-signal'

/**
 * Resolves with the promise, or rejects when the caller's signal fires first.
 *
 * @throws PotluckError `aborted`
 */
export async function raceAbort<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return await raceSignal(promise, signal, {
    translateError: ({ reason }) => (reason instanceof PotluckError ? reason : abortedBy(signal))
  })
}
