/** The end of a stream: waiting for it, and for its peer to agree. */
import { PotluckError, type FrameStream } from '@potluck/protocol'

import { LINGER_MS } from '../limits.ts'

/** Lets the caller end its side in peace; a stream that stays half open would be held for ever. */
export async function linger(frames: FrameStream, stopping: AbortSignal): Promise<void> {
  const late = Promise.withResolvers<void>()
  const timer = setTimeout(() => {
    frames.abort(new Error('the caller did not end its side'))
    late.resolve()
  }, LINGER_MS)
  // Rejects if the stream ends by itself, as it should; a host that stops ends all streams.
  await untilOver(late.promise, AbortSignal.any([frames.closed, stopping])).catch(() => undefined)
  clearTimeout(timer)
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
