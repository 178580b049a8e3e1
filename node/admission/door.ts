/**
 * Who may open a stream: the bounds that hold before a request is known.
 *
 * A stream costs memory from its first byte, so silent ones are bounded over all peers, and every
 * peer's streams are bounded by number and by its patience (see there).
 */
import { PotluckError } from '@potluck/protocol'

import { Patience } from './patience.ts'

export interface DoorOptions {
  streamsPerPeer: number
  unreadStreams: number
  patience: number
  patiencePerSecond: number
  /** Peers whose patience is remembered. */
  rememberedPeers: number
  /** Milliseconds; any origin. */
  now: () => number
}

/** One open stream, from `open` to `leave`. */
export interface Visit {
  /** The request is there: the stream no longer counts as silent. */
  arrived: () => void
  /** The stream is over. `served`: its request was seen through, or its failure is not the peer's. */
  leave: (served: boolean) => void
}

export class Door {
  readonly #options: DoorOptions
  readonly #patience: Patience
  readonly #streams = new Map<string, number>()
  /** How to cut each silent stream, the oldest first. */
  readonly #unread = new Set<() => void>()

  constructor(options: DoorOptions) {
    this.#options = options
    this.#patience = new Patience({
      capacity: options.patience,
      perSecond: options.patiencePerSecond,
      peers: options.rememberedPeers,
      now: options.now
    })
  }

  /** Open streams. */
  get size(): number {
    let size = 0
    for (const streams of this.#streams.values()) size += streams
    return size
  }

  /**
   * Lets a stream in.
   *
   * @param cut resets the stream; called if it is silent for longest when another needs its place
   * @throws PotluckError `rate_limited`; the peer is charged for the attempt
   */
  open(peer: string, cut: () => void): Visit {
    const { streamsPerPeer, unreadStreams } = this.#options
    const waitMs = this.#patience.waitMs(peer)
    const streams = this.#streams.get(peer) ?? 0
    if (waitMs > 0 || streams >= streamsPerPeer) {
      this.#patience.strike(peer)
      const reason = waitMs > 0 ? 'too many requests that failed' : `more than ${streamsPerPeer} requests at once`
      throw new PotluckError('rate_limited', reason, { retryAfterMs: Math.max(waitMs, 1000) })
    }
    const oldest = this.#unread.values().next()
    if (this.#unread.size >= unreadStreams && !oldest.done) {
      this.#unread.delete(oldest.value)
      oldest.value()
    }
    this.#streams.set(peer, streams + 1)
    this.#unread.add(cut)
    let left = false
    return {
      arrived: () => this.#unread.delete(cut),
      leave: (served) => {
        if (left) return
        left = true
        this.#unread.delete(cut)
        if (!served) this.#patience.strike(peer)
        const rest = (this.#streams.get(peer) ?? 1) - 1
        if (rest === 0) this.#streams.delete(peer)
        else this.#streams.set(peer, rest)
      }
    }
  }
}
