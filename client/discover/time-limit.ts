import { PotluckError } from '@potluck/protocol'
import { raceSignal } from 'race-signal'

import type { Clock } from '../base/clock.ts'

/**
 * Runs an operation with a time limit on the given clock.
 *
 * @param use its signal fires at the limit, or when the outer signal does. After the operation has ended, the signal no
 *   longer fires at the limit. So work that the operation left in the background continues.
 * @throws PotluckError `dial_timeout` at the limit; what the operation throws; the outer signal's reason
 */
export async function withTimeLimit<T>(
  { ms, clock, signal }: { ms: number; clock: Pick<Clock, 'sleep'>; signal: AbortSignal },
  use: (signal: AbortSignal) => Promise<T>
): Promise<T> {
  const late = new AbortController()
  const ended = new AbortController()
  const until = AbortSignal.any([signal, late.signal])
  clock.sleep(ms, AbortSignal.any([signal, ended.signal])).then(
    () => {
      if (!ended.signal.aborted) late.abort(new PotluckError('dial_timeout', `the peer did not answer within ${ms} ms`))
    },
    () => undefined
  )
  try {
    return await raceSignal(use(until), until, { translateError: ({ reason }) => reason as Error })
  } finally {
    ended.abort()
  }
}
