/**
 * Limits the bytes that a node sends per second: a bucket that may go below zero, so that no frame is too large for it.
 */
import { setTimeout as sleep } from 'node:timers/promises'

import { PotluckError } from '@potluck/protocol'

export class Bandwidth {
  readonly #perSecond: number
  readonly #now: () => number
  /** Bytes that may be sent now, as of `#since`. At most as many as in one second. */
  #left: number
  #since: number

  /**
   * @param perSecond bytes
   * @param now milliseconds, monotonic
   */
  constructor(perSecond: number, now: () => number) {
    this.#perSecond = perSecond
    this.#now = now
    this.#left = perSecond
    this.#since = now()
  }

  /** Takes the bytes, and returns after how many milliseconds they may be sent. */
  take(bytes: number): number {
    const now = this.#now()
    this.#left = Math.min(this.#perSecond, this.#left + ((now - this.#since) / 1000) * this.#perSecond)
    this.#since = now
    this.#left -= bytes
    return Math.max(0, (-this.#left / this.#perSecond) * 1000)
  }

  /**
   * Resolves when the bytes may be sent.
   *
   * @throws PotluckError `aborted`
   */
  async wait(bytes: number, signal: AbortSignal): Promise<void> {
    const ms = this.take(bytes)
    if (ms === 0) return
    await sleep(ms, undefined, { signal }).catch((cause: unknown) => {
      throw new PotluckError('aborted', 'the stream is closed', { cause })
    })
  }
}
