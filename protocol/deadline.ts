/**
 * A signal that fires when any of these does, or after the time.
 *
 * The same by `AbortSignal.any` and `AbortSignal.timeout` alone is not: as long as nobody listens, the runtime may
 * collect the timeout inside, and the signal never fires (Node 24.21). Whoever looks at `aborted` between two steps
 * would go on for ever.
 *
 * @param ms from now, milliseconds
 */
export function deadline(ms: number, ...signals: readonly AbortSignal[]): AbortSignal {
  const signal = AbortSignal.any([...signals, AbortSignal.timeout(ms)])
  signal.addEventListener('abort', () => undefined, { once: true })
  return signal
}
