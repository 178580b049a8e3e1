/** Asks one node for the vectors of some texts, over `/potluck/embed/1.0.0`. */
import {
  deadline,
  decodeEmbedReply,
  decodeEmbedRequest,
  EMBED_PROTOCOL,
  encodeEmbedRequest,
  FrameStream,
  MAX_EMBED_REPLY_BYTES,
  MAX_FRAME_BYTES,
  PotluckError,
  type Embeddings,
  type EmbedRequest,
  type PhaseTimeouts
} from '@potluck/protocol'

import type { Dialable, Network } from '../network/network.ts'

export interface AskEmbedContext {
  network: Pick<Network, 'connect'>
  timeouts: PhaseTimeouts
  signal: AbortSignal
}

/**
 * @throws PotluckError what the node refused with; `dial_failed`, `stream_cut`, `protocol_violation`,
 *   a timeout's code, `aborted` by the signal
 */
export async function askEmbed(node: Dialable, request: EmbedRequest, context: AskEmbedContext): Promise<Embeddings> {
  const { timeouts, signal } = context
  const frames = await open(node, context)
  try {
    await frames.sendRequest(toFrame(request), {
      timeoutMs: timeouts.requestMs,
      timeoutCode: 'request_timeout',
      signal
    })
    const bytes = await frames.receive({ timeoutMs: timeouts.firstTokenMs, timeoutCode: 'first_token_timeout', signal })
    if (bytes === undefined) throw new PotluckError('stream_cut', 'the node sent no embeddings')
    const reply = decodeEmbedReply(bytes, request.texts.length)
    if (reply.type === 'error') {
      const { code, detail, retryAfterMs } = reply
      throw new PotluckError(code, detail === '' ? code : detail, retryAfterMs === undefined ? {} : { retryAfterMs })
    }
    await frames.close({ signal })
    return reply.result
  } catch (error) {
    frames.abort(new Error('the request for embeddings ended'))
    throw error
  }
}

/** @throws PotluckError `invalid_request` for what every node would refuse */
export function toFrame(request: EmbedRequest): Uint8Array {
  const bytes = encodeEmbedRequest(request)
  if (bytes.byteLength > MAX_FRAME_BYTES) {
    throw new PotluckError('invalid_request', `invalid request: more than ${MAX_FRAME_BYTES} bytes of texts at once`)
  }
  decodeEmbedRequest(bytes)
  return bytes
}

async function open(node: Dialable, { network, timeouts, signal }: AskEmbedContext): Promise<FrameStream> {
  const either = deadline(timeouts.dialMs, signal)
  try {
    const connection = await network.connect(node, either)
    const stream = await connection.newStream(EMBED_PROTOCOL, { signal: either, runOnLimitedConnection: true })
    return new FrameStream(stream, { maxFrameBytes: MAX_EMBED_REPLY_BYTES })
  } catch (cause) {
    if (signal.aborted) throw new PotluckError('aborted', 'aborted by the caller', { cause })
    throw new PotluckError('dial_failed', 'the node could not be reached', { cause })
  }
}
