/**
 * Backpressure and a bandwidth share for the connections that a relay carries.
 *
 * libp2p's relay reads from each side as fast as that side sends, whatever the other side takes. If the receiver does
 * not read, one relayed connection makes the relay buffer 1 GiB. Here, the relay stops reading from a side while too
 * many of its bytes wait for the other side, or while its host has used up its share.
 */
import type { Connection, Stream, StreamMessageEvent, StreamMiddleware } from '@libp2p/interface'
import { RELAY_V2_HOP_CODEC, RELAY_V2_STOP_CODEC } from '@libp2p/circuit-relay-v2'
import { networksOf, subnetOf } from '@potluck/protocol'
import { LRUCache } from 'lru-cache'

/**
 * Bytes of one side that wait for the other side: as many as a window of Yamux, so that a fast pair does not notice.
 */
const MAX_WAITING_BYTES = 256 * 1024
/**
 * Bytes that one host sends through the relay: a burst, and then a rate per second. An answer takes a few KB/s, and a
 * prompt has at most 2 MiB.
 */
const SHARE = { burst: 16 * 1024 * 1024, perSecond: 1024 * 1024 }
/** Hosts whose share is counted. A relay has no more connections. */
const MAX_HOSTS = 4_096

interface Share {
  bytes: number
  /** When `bytes` was counted, milliseconds. */
  at: number
}

/** The libp2p service of a relay. */
export function relayFlow({
  registrar
}: {
  registrar: { getMiddleware: (protocol: string) => StreamMiddleware[] }
}): object {
  const shares = new LRUCache<string, Share>({ max: MAX_HOSTS })
  const origins = new WeakMap<object, Side>()
  const others = registrar.getMiddleware.bind(registrar)
  const middleware: StreamMiddleware = (stream, connection, next) => {
    follow(stream, new Side(stream, shareOf(shares, connection)), origins)
    next(stream, connection)
  }
  registrar.getMiddleware = (protocol) => {
    const carries = protocol === RELAY_V2_HOP_CODEC || protocol === RELAY_V2_STOP_CODEC
    return [...others(protocol), ...(carries ? [middleware] : [])]
  }
  return {}
}

function shareOf(shares: LRUCache<string, Share>, { remoteAddr, remotePeer }: Connection): Share {
  // All peers of a LAN or a testnet can share an address.
  const host = subnetOf(remoteAddr) === undefined ? undefined : networksOf(remoteAddr)?.host
  const source = host ?? remotePeer.toString()
  const share = shares.get(source) ?? { bytes: SHARE.burst, at: performance.now() }
  shares.set(source, share)
  return share
}

/**
 * Counts what the stream receives, and what is sent of it on another stream. libp2p passes the bytes of one side to the
 * other as the same object.
 */
function follow(stream: Stream, side: Side, origins: WeakMap<object, Side>): void {
  const dispatch = stream.dispatchEvent.bind(stream)
  const send = stream.send.bind(stream)
  stream.dispatchEvent = (event) => {
    if (event.type === 'message') {
      const { data } = event as StreamMessageEvent
      origins.set(data, side)
      side.received(data.byteLength)
    }
    // libp2p drops the bytes that a paused stream has not delivered when it learns that the other end has closed.
    if (event.type === 'remoteCloseWrite' && side.holds(() => dispatch(event))) return true
    return dispatch(event)
  }
  stream.send = (data) => {
    const { byteLength } = data
    const takesMore = send(data)
    origins.get(data)?.passed(byteLength)
    return takesMore
  }
}

/** One side of a relayed connection. */
class Side {
  readonly #stream: Stream
  readonly #share: Share
  #waiting = 0
  #resuming: NodeJS.Timeout | undefined
  #onResume: (() => void) | undefined

  constructor(stream: Stream, share: Share) {
    this.#stream = stream
    this.#share = share
  }

  received(bytes: number): void {
    this.#waiting += bytes
    refill(this.#share)
    this.#share.bytes -= bytes
    if (this.#mustWait() && this.#stream.readStatus === 'readable') this.#stream.pause()
    this.#update()
  }

  passed(bytes: number): void {
    this.#waiting -= bytes
    this.#update()
  }

  /** Whether the stream is paused. Then `then` runs when the stream has delivered what it holds. */
  holds(then: () => void): boolean {
    if (this.#stream.readStatus !== 'paused') return false
    this.#onResume = then
    return true
  }

  #mustWait(): boolean {
    return this.#waiting >= MAX_WAITING_BYTES || this.#share.bytes < 0
  }

  #update(): void {
    if (this.#stream.readStatus !== 'paused') return
    refill(this.#share)
    if (!this.#mustWait()) {
      this.#stream.resume()
      // The bytes that it held can be so many that it is paused again.
      if (this.#stream.readStatus !== ('paused' as string)) this.#onResume?.()
      return
    }
    if (this.#share.bytes >= 0 || this.#resuming !== undefined) return
    const waitMs = Math.ceil((-this.#share.bytes / SHARE.perSecond) * 1000)
    this.#resuming = setTimeout(() => {
      this.#resuming = undefined
      this.#update()
    }, waitMs)
    this.#resuming.unref()
  }
}

function refill(share: Share): void {
  const now = performance.now()
  share.bytes = Math.min(SHARE.burst, share.bytes + ((now - share.at) / 1000) * SHARE.perSecond)
  share.at = now
}
