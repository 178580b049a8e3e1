/**
 * Length-prefixed frames over one libp2p stream, with backpressure in both directions.
 *
 * libp2p's own async iterator gives no read backpressure: it buffered 32 MiB while its reader had
 * taken 448 KiB. Here the stream is paused while a reader is behind, so that the muxer's window
 * closes and the sender waits; and `send` waits for `drain` when the window of the other side is full.
 */
import type { Stream, StreamCloseEvent, StreamMessageEvent } from '@libp2p/interface'
import { Uint8ArrayList } from 'uint8arraylist'
import { decode as decodeVarint, encode as encodeVarint, encodingLength } from 'uint8-varint'

import { PotluckError, type ErrorCode } from './errors.ts'

/** Unread bytes at which the stream is paused: enough that a reader in a loop never waits for the wire. */
const PAUSE_AT_BYTES = 64 * 1024
/** A varint longer than this announces more than 2^35 bytes. */
const MAX_PREFIX_BYTES = 5

export interface FrameStreamOptions {
  /** A frame that announces more is refused before it is read. */
  maxFrameBytes: number
}

export interface FrameWait {
  /** From the call until the frame is there (or the bytes are taken). */
  timeoutMs: number
  timeoutCode: ErrorCode
  signal?: AbortSignal | undefined
}

export class FrameStream {
  /** Fires when the stream is over in both directions, or was reset. */
  readonly closed: AbortSignal

  readonly #stream: Stream
  readonly #maxFrameBytes: number
  readonly #unread = new Uint8ArrayList()
  readonly #closed = new AbortController()
  #ended = false
  #broken: Error | undefined
  /** Wakes the one `receive` or `send` that waits for each. */
  #onReadable: (() => void) | undefined
  #onWritable: (() => void) | undefined

  constructor(stream: Stream, { maxFrameBytes }: FrameStreamOptions) {
    this.#stream = stream
    this.#maxFrameBytes = maxFrameBytes
    this.closed = this.#closed.signal
    stream.addEventListener('message', (event: StreamMessageEvent) => {
      this.#unread.append(event.data)
      if (this.#unread.byteLength >= PAUSE_AT_BYTES && stream.readStatus === 'readable') stream.pause()
      if (stream.readableEnded) this.#end()
      else this.#wake()
    })
    stream.addEventListener('end', () => this.#end())
    stream.addEventListener('drain', () => this.#onWritable?.())
    stream.addEventListener('close', (event: StreamCloseEvent) => this.#end(event.error ?? undefined))
    if (stream.status !== 'open' || stream.readableEnded) this.#end()
  }

  /**
   * The next frame's bytes, or undefined where the other side ended its stream between two frames.
   * One call at a time.
   *
   * @throws PotluckError `timeoutCode`; `stream_cut` after a reset or in the middle of a frame;
   *   `protocol_violation` for a frame that is too large; `aborted` by the signal
   */
  async receive(wait: FrameWait): Promise<Uint8Array | undefined> {
    const buffered = this.#takeFrame()
    if (buffered !== undefined) return buffered
    return await this.#wait(
      wait,
      () => {
        const frame = this.#takeFrame()
        if (frame !== undefined) return { value: frame }
        if (this.#broken !== undefined) {
          throw new PotluckError('stream_cut', 'the stream was reset', { cause: this.#broken })
        }
        if (this.#ended) {
          if (this.#unread.byteLength > 0) throw new PotluckError('stream_cut', 'the stream ended inside a frame')
          return { value: undefined }
        }
        if (this.#stream.readStatus === 'paused') this.#stream.resume()
        return undefined
      },
      (wake) => {
        this.#onReadable = wake
      }
    )
  }

  /**
   * Sends one frame and resolves when the stream can take another. One call at a time.
   *
   * @throws as `receive`
   */
  async send(frame: Uint8Array, wait: FrameWait): Promise<void> {
    await this.#send(frame, wait, () => false)
  }

  /**
   * The same for a frame that may be refused before the other side has read it whole: resolves also
   * when something has come in, for which nobody would look while the rest waits to be taken.
   *
   * @throws as `receive`
   */
  async sendRequest(frame: Uint8Array, wait: FrameWait): Promise<void> {
    await this.#send(frame, wait, () => this.#unread.byteLength > 0)
  }

  async #send(frame: Uint8Array, wait: FrameWait, answered: () => boolean): Promise<void> {
    if (this.#broken !== undefined || this.#stream.writeStatus !== 'writable') {
      throw new PotluckError('stream_cut', 'the stream is closed', { cause: this.#broken })
    }
    const prefix = encodeVarint(frame.byteLength, new Uint8Array(encodingLength(frame.byteLength)))
    if (this.#stream.send(new Uint8ArrayList(prefix, frame))) return
    await this.#wait(
      wait,
      () => {
        if (answered()) return { value: undefined }
        if (this.#broken !== undefined || this.#stream.writeStatus === 'closed') {
          throw new PotluckError('stream_cut', 'the stream was reset', { cause: this.#broken })
        }
        return this.#stream.writableNeedsDrain && this.#stream.writeBufferLength > 0 ? undefined : { value: undefined }
      },
      (wake) => {
        this.#onWritable = wake
      }
    )
  }

  /** Ends our side after what was sent; the other side may go on. */
  async close(options: { signal?: AbortSignal } = {}): Promise<void> {
    await this.#stream.close(options)
  }

  /** Resets the stream: the other side sees it at once, unread bytes are dropped. */
  abort(reason: Error): void {
    this.#stream.abort(reason)
  }

  #end(error?: Error): void {
    const { status } = this.#stream
    // After a reset libp2p says `end` first, like after a whole stream, and `close` with the error only then.
    if (error !== undefined || status === 'reset' || status === 'aborted') {
      this.#broken ??= error ?? new Error(`stream ${status}`)
    }
    // A stream ends when what it holds was delivered. That may come after `end`: the negotiation gives
    // back what it read beyond itself, which is all there is where the other side speaks first and closes.
    if (this.#stream.readableEnded && this.#stream.readBufferLength === 0) this.#ended = true
    this.#wake()
    if (status !== 'open' && status !== 'closing' && !this.closed.aborted) this.#closed.abort(this.#broken)
  }

  #wake(): void {
    this.#onReadable?.()
    this.#onWritable?.()
  }

  #takeFrame(): Uint8Array | undefined {
    const available = this.#unread.byteLength
    if (available === 0) return undefined
    const prefixLength = this.#prefixLength()
    if (prefixLength === undefined) return undefined
    const length = decodeVarint(this.#unread.subarray(0, prefixLength))
    if (length > this.#maxFrameBytes) throw oversized(this.#maxFrameBytes)
    if (available < prefixLength + length) return undefined
    const frame = this.#unread.slice(prefixLength, prefixLength + length)
    this.#unread.consume(prefixLength + length)
    return frame
  }

  /** Bytes of the varint at the front, or undefined while it is incomplete. */
  #prefixLength(): number | undefined {
    for (let index = 0; index < MAX_PREFIX_BYTES; index++) {
      if (index >= this.#unread.byteLength) return undefined
      if (this.#unread.get(index) < 0x80) return index + 1
    }
    throw oversized(this.#maxFrameBytes)
  }

  /** Runs `attempt` now and at every wake-up until it gives a value or throws. */
  #wait<T>(
    { timeoutMs, timeoutCode, signal }: FrameWait,
    attempt: () => { value: T } | undefined,
    onWake: (wake: (() => void) | undefined) => void
  ): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const finish = (settle: () => void): void => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', abort)
        onWake(undefined)
        settle()
      }
      const abort = (): void => {
        finish(() => reject(new PotluckError('aborted', 'aborted by the caller', { cause: signal?.reason })))
      }
      const wake = (): void => {
        try {
          const result = attempt()
          if (result !== undefined) finish(() => resolve(result.value))
        } catch (error) {
          finish(() => reject(error))
        }
      }
      const timer = setTimeout(() => {
        finish(() => reject(new PotluckError(timeoutCode, `nothing came for ${timeoutMs} ms`)))
      }, timeoutMs)
      if (signal?.aborted === true) {
        abort()
        return
      }
      signal?.addEventListener('abort', abort, { once: true })
      onWake(wake)
      wake()
    })
  }
}

function oversized(limit: number): PotluckError {
  return new PotluckError('protocol_violation', `a frame of more than ${limit} bytes`)
}
