/**
 * Waits for a shutdown, at most `ms` milliseconds, and keeps the process alive meanwhile.
 *
 * libp2p waits for the end of each connection with `AbortSignal.timeout`, whose timer does not keep a process alive. If
 * a peer closes its connection at the moment when libp2p stops, libp2p misses the event. Without this function, Node
 * then had nothing left to do, and ended `potluck nodes` with exit code 13 after its output.
 */
export async function endWithin(ms: number, work: Promise<unknown>): Promise<void> {
  const late = Promise.withResolvers<void>()
  const timer = setTimeout(late.resolve, ms)
  try {
    await Promise.race([work, late.promise])
  } finally {
    clearTimeout(timer)
  }
}
