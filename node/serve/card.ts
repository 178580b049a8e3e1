/**
 * `/potluck/card/1.0.0`: the node's own card with its current load, in one frame. The caller sends nothing, so there is
 * no request to admit, queue or refuse.
 */
import { encodeCardReply, type FrameStream, type Load } from '@potluck/protocol'
import type { Logger } from 'pino'

import { LINGER_MS, SHORT_WRITE_TIMEOUT_MS } from '../limits/limits.ts'
import { closeStream } from './serve.ts'

export interface CardDependencies {
  /** The newest signed card. */
  card: () => Uint8Array
  queue: { load: () => Load }
  logger: Logger
  /** Fires when the node stops. */
  stopping: AbortSignal
}

/** Serves one stream. Resolves when it is closed. Never rejects. */
export async function serveCard(
  frames: FrameStream,
  peer: string,
  { card, queue, logger, stopping }: CardDependencies
): Promise<void> {
  try {
    const write = { timeoutMs: SHORT_WRITE_TIMEOUT_MS, timeoutCode: 'caller_stalled' } as const
    await frames.send(encodeCardReply({ own: { card: card(), load: queue.load() }, others: [] }), write)
  } catch (error) {
    logger.debug({ peer, err: error }, 'a peer did not read the card')
    frames.abort(new Error('the caller did not read the card'))
  }
  await closeStream(frames, LINGER_MS, stopping)
}
