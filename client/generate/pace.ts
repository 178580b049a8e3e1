/** When silence between tokens is a stall. */
import { LEAST_STALL_MS, STALL_FACTOR } from '../constants.ts'

/** Weight of the newest gap. TCP's smoothing of round trips, RFC 6298. */
const GAIN = 1 / 8

/**
 * A node that stopped looks like one that is slow, so silence is measured against the node's own
 * gaps: one that gives a token each second may pause for longer than one that gives a hundred.
 */
export class Pace {
  readonly #mostMs: number
  #usualMs: number | undefined

  /** @param mostMs the patience before anything was measured, and its bound */
  constructor(mostMs: number) {
    this.#mostMs = mostMs
  }

  /** How long to wait for the next tokens. */
  get patienceMs(): number {
    if (this.#usualMs === undefined) return this.#mostMs
    return Math.min(this.#mostMs, Math.max(LEAST_STALL_MS, STALL_FACTOR * this.#usualMs))
  }

  /** @param gapMs that the tokens were waited for */
  arrived(gapMs: number): void {
    this.#usualMs = this.#usualMs === undefined ? gapMs : this.#usualMs + GAIN * (gapMs - this.#usualMs)
  }
}
