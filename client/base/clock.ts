import { raceAbort } from './race-abort.ts'

/** The source of time for requests. The simulator passes virtual time. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now: () => number
  /** Milliseconds; never jumps. */
  monotonic: () => number
  /** @throws PotluckError `aborted` when the signal fires first */
  sleep: (ms: number, signal: AbortSignal) => Promise<void>
}

export const SYSTEM_CLOCK: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: async (ms, signal) => {
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, ms)
    try {
      await raceAbort(promise, signal)
    } finally {
      clearTimeout(timer)
    }
  }
}
