/**
 * Bounds what a peer can send in the messages of libp2p's own protocols, and in those of cards. libp2p reads the
 * messages of identify in up to 80 KiB and those of circuit relays in up to 4 MiB, and parses all addresses in them:
 * 20,000 addresses block the process for seconds, and 128 streams that stop before the end of a message hold 512 MiB.
 */
import type { Stream, StreamMessageEvent, StreamMiddleware } from '@libp2p/interface'
import type { Uint8ArrayList } from 'uint8arraylist'

import { CARD_PROTOCOL, MAX_CARD_REPLY_BYTES, MAX_FRAME_PREFIX_BYTES } from '../constants.ts'

/** What libp2p's identify and go-libp2p's accept. A peer of this network sends less than 2 KiB. */
const MAX_IDENTIFY_BYTES = 8 * 1024
/** go-libp2p's limit. A relay with 16 addresses sends less than 2 KiB. */
const MAX_CIRCUIT_MESSAGE_BYTES = 4 * 1024

/** Bytes that a peer sends before the echo of the earlier ones. A ping has 32. */
const MAX_PING_BYTES = 1024
/** A request for a card is the stream itself. */
const MAX_CARD_REQUEST_BYTES = 64

/** Returns whether the stream stays within its bound with the next bytes. */
type Check = (data: Uint8ArrayList | Uint8Array) => boolean

/** The check of a stream, by the protocol of the stream. */
const CHECKS: ReadonlyMap<string, (stream: Stream) => Check> = new Map([
  ['/ipfs/id/1.0.0', () => totalAtMost(MAX_IDENTIFY_BYTES)],
  ['/ipfs/id/push/1.0.0', () => totalAtMost(MAX_IDENTIFY_BYTES)],
  ['/ipfs/ping/1.0.0', ping],
  [CARD_PROTOCOL, card],
  ['/libp2p/circuit/relay/0.2.0/hop', circuitMessage],
  ['/libp2p/circuit/relay/0.2.0/stop', circuitMessage]
])

/** libp2p's registrar. */
interface Registrar {
  getMiddleware: (protocol: string) => StreamMiddleware[]
}

/**
 * The libp2p service. libp2p's `use` registers middleware too, but its registrar returns its own list, to which every
 * inbound stream then adds a handler.
 */
export function boundedMessages({ registrar }: { registrar: Registrar }): object {
  const others = registrar.getMiddleware.bind(registrar)
  registrar.getMiddleware = (protocol) => {
    const check = CHECKS.get(protocol)
    return [...(check === undefined ? [] : [middleware(check)]), ...others(protocol)]
  }
  return {}
}

function middleware(check: (stream: Stream) => Check): StreamMiddleware {
  return (stream, connection, next) => {
    bound(stream, check(stream))
    next(stream, connection)
  }
}

/**
 * Resets the stream when its bytes exceed the bound. A listener is not enough: libp2p delivers the bytes that have
 * already arrived to the first listener, and the protocol's own listener comes later.
 */
function bound(stream: Stream, check: Check): void {
  const dispatch = stream.dispatchEvent.bind(stream)
  stream.dispatchEvent = (event) => {
    if (event.type !== 'message' || check((event as StreamMessageEvent).data)) return dispatch(event)
    stream.abort(new Error('the message is too large'))
    return false
  }
}

function totalAtMost(bytes: number): Check {
  let total = 0
  return (data) => {
    total += data.byteLength
    return total <= bytes
  }
}

function card({ direction }: Stream): Check {
  return totalAtMost(direction === 'inbound' ? MAX_CARD_REQUEST_BYTES : MAX_CARD_REPLY_BYTES + MAX_FRAME_PREFIX_BYTES)
}

/** libp2p keeps what a peer sends, without a limit, while the peer does not take the echo. */
function ping(stream: Stream): Check {
  const send = stream.send.bind(stream)
  let ahead = 0
  stream.send = (data) => {
    ahead -= data.byteLength
    return send(data)
  }
  return (data) => {
    ahead += data.byteLength
    return ahead <= MAX_PING_BYTES
  }
}

/** One message in each direction opens the relayed connection, which then uses the stream. */
function circuitMessage(stream: Stream): Check {
  if (stream.direction === 'outbound') return firstMessageAtMost(MAX_CIRCUIT_MESSAGE_BYTES)
  // The other side sends nothing more until it has the reply.
  const request = totalAtMost(MAX_CIRCUIT_MESSAGE_BYTES)
  const send = stream.send.bind(stream)
  let replied = false
  stream.send = (data) => {
    replied = true
    return send(data)
  }
  return (data) => replied || request(data)
}

/** Reads the varint before the first message. */
function firstMessageAtMost(bytes: number): Check {
  let prefixBytes = 0
  let length = 0
  let complete = false
  return (data) => {
    // A list of bytes throws if it is shorter than the part, and this error would end the whole connection.
    const first = complete ? [] : data.subarray(0, Math.min(data.byteLength, MAX_FRAME_PREFIX_BYTES))
    for (const byte of first) {
      if (complete) break
      length += (byte & 0x7f) * 2 ** (7 * prefixBytes)
      prefixBytes++
      complete = byte < 0x80
    }
    return length <= bytes && prefixBytes <= MAX_FRAME_PREFIX_BYTES
  }
}
