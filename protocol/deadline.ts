/**
 * Returns a signal that aborts when one of `signals` does, and at the latest after `ms`.
 *
 * `AbortSignal.any([..., AbortSignal.timeout(ms)])` alone is not enough: while the signal has no listener, the garbage
 * collector can free the timeout inside it, and then the signal never aborts (Node 24.21). Code that only reads
 * `aborted` adds no listener, so it would never stop.
 *
 * @param ms milliseconds from now, rounded up: `AbortSignal.timeout` throws for a fraction
 */
export function deadline(ms: number, ...signals: readonly AbortSignal[]): AbortSignal {
  const signal = AbortSignal.any([...signals, AbortSignal.timeout(Math.ceil(ms))])
  signal.addEventListener('abort', () => undefined, { once: true })
  return signal
}
