/** Serves one stream of `/potluck/card/1.0.0`: the node's own card with its live load, in one frame. */
import { encodeCardReply, type FrameStream, type Load } from '@potluck/protocol'
import type { Logger } from 'pino'

import { LINGER_MS, SHORT_WRITE_TIMEOUT_MS } from '../limits.ts'
import { part } from './over.ts'

export interface CardService {
  /** The newest signed card. */
  card: () => Uint8Array
  load: () => Load
  logger: Logger
  /** Fires when the node stops. */
  stopping: AbortSignal
}

/** Resolves when the stream is over. Never rejects. */
export async function serveCard(frames: FrameStream, peer: string, service: CardService): Promise<void> {
  const { card, load, logger, stopping } = service
  try {
    await frames.send(encodeCardReply({ card: card(), load: load() }), {
      timeoutMs: SHORT_WRITE_TIMEOUT_MS,
      timeoutCode: 'caller_stalled'
    })
  } catch (error) {
    logger.debug({ peer, err: error }, 'a peer did not take the card')
    frames.abort(new Error('the card was not taken'))
  }
  await part(frames, LINGER_MS, stopping)
}
