/** Calls `tick` every `ms` milliseconds, until the returned function is called. Does not keep a Node process alive. */
export function every(ms: number, tick: () => void): () => void {
  const timer: unknown = setInterval(tick, ms)
  // A browser's timer is a number.
  if (timer instanceof Object && 'unref' in timer && typeof timer.unref === 'function') timer.unref()
  return () => clearInterval(timer as ReturnType<typeof setInterval>)
}
