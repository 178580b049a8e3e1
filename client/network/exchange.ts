/**
 * One stream to one node. Every protocol of the client runs over an exchange: generate, embed, audit and card.
 *
 * 1. dial: an open connection to the node, or a new one, and a stream on it. If nothing answers on an open connection,
 *    the client aborts that connection and dials again
 * 2. send the request
 * 3. receive frames, each within its own timeout
 * 4. close after the last frame, or abort, which resets the stream so that the node stops at once
 *
 * Every failure is a PotluckError whose code names the phase and whose `peer` is the node.
 */
import type { Connection, PeerId, Stream } from '@libp2p/interface'
import {
  abortedBy,
  deadline,
  FrameStream,
  PotluckError,
  SILENT_CONNECTION_MS,
  type ErrorCode,
  type WireCode
} from '@potluck/protocol'

import { MAX_OUTBOUND_STREAMS } from '../base/constants.ts'
import type { Dialable, Network } from './network.ts'
import { isNearLimit, mayHaveReachedLimit } from './relay-limits.ts'

export interface ExchangeOptions {
  network: Pick<Network, 'connect'>
  /** The libp2p protocol id. */
  protocol: string
  /** The largest frame that the node may send, bytes. */
  maxFrameBytes: number
  /** From the dial to the open stream, milliseconds. */
  dialMs: number
  /** The signal of the caller. */
  signal: AbortSignal
}

/** What a node sends instead of a reply. */
export interface ErrorReply {
  code: WireCode
  detail: string
  retryAfterMs?: number
}

export class Exchange {
  readonly connection: Connection
  /** When the connection was open, before the stream was opened. By the monotonic clock, milliseconds. */
  readonly connectedAt: number
  readonly #frames: FrameStream
  readonly #peerId: PeerId
  readonly #signal: AbortSignal

  private constructor(connection: Connection, connectedAt: number, frames: FrameStream, signal: AbortSignal) {
    this.connection = connection
    this.connectedAt = connectedAt
    this.#frames = frames
    this.#peerId = connection.remotePeer
    this.#signal = signal
  }

  /** @throws PotluckError `dial_failed`, `dial_timeout`, `aborted` */
  static async open(
    node: Dialable,
    { network, protocol, maxFrameBytes, dialMs, signal }: ExchangeOptions
  ): Promise<Exchange> {
    const untilOpen = deadline(dialMs, signal)
    try {
      const { connection, connectedAt, stream } = await openStream(node, { network, protocol, signal: untilOpen })
      return new Exchange(connection, connectedAt, new FrameStream(stream, { maxFrameBytes }), signal)
    } catch (cause) {
      const error = untilOpen.aborted
        ? new PotluckError('dial_timeout', `the node could not be reached within ${dialMs} ms`, { cause })
        : new PotluckError('dial_failed', 'the node could not be reached', { cause })
      throw withPeer(error, node.peerId, signal)
    }
  }

  /**
   * Throws if the relay between client and node soon ends this connection.
   *
   * @param bytes that the next step needs
   * @throws PotluckError `relay_limit`
   */
  checkRelayLimit(bytes: number = 0): void {
    if (isNearLimit(this.connection, bytes)) throw relayLimit()
  }

  /** The node or the network closed the stream. */
  get closed(): boolean {
    return this.#frames.closed.aborted
  }

  /** Sends the first frame. Returns early if a reply arrives: a node can refuse a long request before its end. */
  async sendRequest(bytes: Uint8Array, timeoutMs: number): Promise<void> {
    await this.#frames.sendRequest(bytes, { timeoutMs, timeoutCode: 'request_timeout', signal: this.#signal })
  }

  async send(bytes: Uint8Array, timeoutMs: number, timeoutCode: ErrorCode): Promise<void> {
    await this.#frames.send(bytes, { timeoutMs, timeoutCode, signal: this.#signal })
  }

  /** @throws PotluckError `timeoutCode`; `stream_cut` if the stream was reset or ended; `protocol_violation` */
  async receive(timeoutMs: number, timeoutCode: ErrorCode): Promise<Uint8Array> {
    // After the caller has aborted, deliver no frame, even if it arrived before.
    this.#signal.throwIfAborted()
    const bytes = await this.#frames.receive({ timeoutMs, timeoutCode, signal: this.#signal })
    HEARD_AT.set(this.connection, performance.now())
    if (bytes === undefined) throw new PotluckError('stream_cut', 'the stream ended without a terminal frame')
    return bytes
  }

  /**
   * Closes the stream of a complete exchange. Never rejects, because a failed close must not undo a complete answer.
   */
  async close(timeoutMs: number): Promise<void> {
    await this.#frames
      .close({ signal: deadline(timeoutMs, this.#signal) })
      .catch((error: Error) => this.#frames.abort(error))
  }

  /**
   * Resets the stream unless it is closed. If a relay would soon end the connection, and no other exchange uses it,
   * ends the connection too.
   */
  abort(): void {
    const reason = new Error('the exchange ended early')
    this.#frames.abort(reason)
    const { connection } = this
    if (isNearLimit(connection) && !connection.streams.some(isInUse)) connection.abort(reason)
  }

  /** Turns a cause into the failure of this exchange: a PotluckError with the peer. */
  failure(cause: unknown): PotluckError {
    const error = cause instanceof PotluckError ? cause : new PotluckError('stream_cut', 'the stream failed', { cause })
    const byRelay = error.code === 'stream_cut' && mayHaveReachedLimit(this.connection)
    return withPeer(byRelay ? relayLimit(cause) : error, this.#peerId, this.#signal)
  }
}

export interface AskOptions<T> extends ExchangeOptions {
  /** Undefined: the node sends the first frame. */
  request?: { bytes: Uint8Array; timeoutMs: number }
  /** From the sent request to the reply, milliseconds. */
  replyMs: number
  /** The code when no reply comes in time. */
  timeoutCode: ErrorCode
  /**
   * @throws PotluckError `protocol_violation` for invalid bytes; the error of `refusal` for an error reply of the node
   */
  decode: (bytes: Uint8Array) => T
}

/** Sends one request and receives one reply. `elapsedMs`: from the open connection to the reply. */
export async function askOnce<T>(
  node: Dialable,
  options: AskOptions<T>
): Promise<{ reply: T; connection: Connection; elapsedMs: number }> {
  const exchange = await Exchange.open(node, options)
  try {
    const { request, replyMs, timeoutCode } = options
    if (request !== undefined) await exchange.sendRequest(request.bytes, request.timeoutMs)
    const bytes = await exchange.receive(replyMs, timeoutCode)
    const elapsedMs = performance.now() - exchange.connectedAt
    const reply = options.decode(bytes)
    await exchange.close(replyMs)
    return { reply, connection: exchange.connection, elapsedMs }
  } catch (cause) {
    exchange.abort()
    throw exchange.failure(cause)
  }
}

/**
 * Returns an error that a node sent in place of its first reply. `caller_stalled` is false there, because the client
 * has not kept the node waiting yet.
 */
export function refusal({ code, detail, retryAfterMs }: ErrorReply): PotluckError {
  if (code === 'caller_stalled') return new PotluckError('protocol_violation', 'caller_stalled in place of a reply')
  return new PotluckError(code, detail === '' ? code : detail, retryAfterMs === undefined ? {} : { retryAfterMs })
}

/** When the last frame arrived on a connection, by the monotonic clock; milliseconds. */
const HEARD_AT = new WeakMap<Connection, number>()

interface OpenStream {
  connection: Connection
  connectedAt: number
  stream: Stream
}

/**
 * Opens a stream on an open connection or on a new one. If the open connection is silent for `SILENT_CONNECTION_MS`, or
 * turns out to be closed, tries again without it.
 */
async function openStream(
  node: Dialable,
  { network, protocol, signal }: Pick<ExchangeOptions, 'network' | 'protocol' | 'signal'>
): Promise<OpenStream> {
  const options = { runOnLimitedConnection: true, maxOutboundStreams: MAX_OUTBOUND_STREAMS }
  for (;;) {
    const askedAt = Date.now()
    const connection = await network.connect(node, signal)
    const connectedAt = performance.now()
    if (connection.timeline.open >= askedAt) {
      return { connection, connectedAt, stream: await connection.newStream(protocol, { ...options, signal }) }
    }
    const silent = new AbortController()
    const timer = setTimeout(() => {
      // Frames of other requests show that the connection works, and that only this stream is late.
      if ((HEARD_AT.get(connection) ?? 0) < connectedAt) silent.abort(new Error('the connection is silent'))
    }, SILENT_CONNECTION_MS)
    try {
      const until = AbortSignal.any([signal, silent.signal])
      return { connection, connectedAt, stream: await connection.newStream(protocol, { ...options, signal: until }) }
    } catch (cause) {
      if (signal.aborted) throw cause
      if (silent.signal.aborted) connection.abort(new Error('the peer does not answer on this connection'))
      else if (connection.status === 'open') throw cause
    } finally {
      clearTimeout(timer)
    }
  }
}

function isInUse({ protocol, status }: Stream): boolean {
  return status === 'open' && protocol.startsWith('/potluck/')
}

function relayLimit(cause?: unknown): PotluckError {
  return new PotluckError('relay_limit', 'the relay carries no more data on this connection', { cause })
}

function withPeer(error: PotluckError, peerId: PeerId, signal: AbortSignal): PotluckError {
  const peer = peerId.toString()
  if (signal.aborted) return abortedBy(signal, peer)
  const { code, message, retryAfterMs } = error
  return new PotluckError(code, `node ${peer.slice(-8)}: ${message}`, {
    cause: error,
    peer,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs })
  })
}
