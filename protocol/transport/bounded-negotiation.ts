/**
 * Bounds the negotiation of protocols. A peer proposes protocols, and libp2p answers each of them without a pause for
 * anything else: 20,000 proposals of 3 bytes blocked the process for 0.3 s. Anybody can send them before the handshake.
 *
 * libp2p has no option for this, so this file wraps private parts of its pinned version.
 */
import type { MessageStream, Stream, StreamMuxerFactory } from '@libp2p/interface'

/** Replies to one negotiation. An honest peer proposes one or two protocols, after the header. */
const MAX_REPLIES = 16

type Negotiate<T> = (connection: MessageStream, ...rest: unknown[]) => Promise<T>

interface Upgrader {
  getStreamMuxers: () => Map<string, StreamMuxerFactory>
  /** Negotiates the encryption, and then encrypts. */
  _encryptInbound?: Negotiate<unknown>
  _multiplexInbound?: Negotiate<unknown>
}

/**
 * The libp2p service.
 *
 * @throws Error if another version of libp2p is installed, whose private parts differ
 */
export function boundedNegotiation(components: { upgrader: unknown }): object {
  const upgrader = components.upgrader as Upgrader
  const { _encryptInbound: encrypt, _multiplexInbound: multiplex } = upgrader
  if (encrypt === undefined || multiplex === undefined) {
    throw new Error(
      'cannot bound the negotiations of libp2p: its private parts differ from version 3.3.11; install that version'
    )
  }
  upgrader._encryptInbound = async (connection, ...rest) => {
    // The first message of Noise is longer than the name of a protocol.
    const release = bound(connection, (reply) => reply > MAX_NAME_BYTES)
    return await encrypt.call(upgrader, connection, ...rest).finally(release)
  }
  upgrader._multiplexInbound = async (connection, ...rest) => {
    const release = bound(connection, () => false)
    return await multiplex.call(upgrader, connection, ...rest).finally(release)
  }
  for (const factory of upgrader.getStreamMuxers().values()) boundStreams(factory)
  return {}
}

const MAX_NAME_BYTES = 64

/** A listener is not enough: libp2p keeps early streams until the muxer has its first listener, the connection. */
function boundStreams(factory: StreamMuxerFactory): void {
  const create = factory.createStreamMuxer.bind(factory)
  factory.createStreamMuxer = (connection) => {
    const muxer = create(connection)
    const dispatch = muxer.dispatchEvent.bind(muxer)
    muxer.dispatchEvent = (event) => {
      if (event.type === 'stream') {
        const { detail: stream } = event as CustomEvent<Stream>
        bound(stream, () => stream.protocol !== '')
      }
      return dispatch(event)
    }
    return muxer
  }
}

/**
 * Resets the connection or stream after too many replies.
 *
 * @param isOver whether the negotiation was over before a reply of this length
 * @returns ends the bound
 */
function bound(stream: MessageStream, isOver: (replyBytes: number) => boolean): () => void {
  const send = stream.send.bind(stream)
  let replies = 0
  let isOpen = true
  stream.send = (data) => {
    isOpen &&= !isOver(data.byteLength)
    if (isOpen && ++replies > MAX_REPLIES) stream.abort(new Error('the peer proposes too many protocols'))
    return send(data)
  }
  return () => {
    isOpen = false
  }
}
