/** The end of a stream: waiting for it, and for its peer to agree. */
import { deadline, PotluckError, type FrameStream } from '@potluck/protocol'

/**
 * Ends our side once all is sent, and gives the caller this time to take it and to end its own. A
 * stream that stays half open would be held for ever. Never rejects.
 */
export async function part(frames: FrameStream, timeoutMs: number, stopping: AbortSignal): Promise<void> {
  const over = deadline(timeoutMs, frames.closed, stopping)
  // It fails if the stream is over before all was sent, which is looked at below.
  await frames.close({ signal: over }).catch(() => undefined)
  if (!over.aborted) {
    await new Promise<void>((resolve) => over.addEventListener('abort', () => resolve(), { once: true }))
  }
  // A host that stops ends all streams by itself, and delivers what they hold.
  if (!frames.closed.aborted && !stopping.aborted) frames.abort(new Error('the caller did not end its side'))
}

/** Resolves as `promise` does, or rejects as soon as the stream is over. */
export async function untilOver(promise: Promise<void>, over: AbortSignal): Promise<void> {
  const ended = Promise.withResolvers<never>()
  const end = (): void => ended.reject(new PotluckError('aborted', 'the stream is over'))
  over.addEventListener('abort', end, { once: true })
  if (over.aborted) end()
  try {
    await Promise.race([promise, ended.promise])
  } finally {
    over.removeEventListener('abort', end)
  }
}
