/** The waits between an answer's tokens. */

/** Weight of the newest gap. TCP's smoothing of round trips, RFC 6298. */
const GAIN = 1 / 8

export class Gaps {
  /** Undefined before the second token. Milliseconds. */
  usualMs: number | undefined
  longestMs: number = 0

  /** @param gapMs that tokens were waited for */
  add(gapMs: number): void {
    this.usualMs = this.usualMs === undefined ? gapMs : this.usualMs + GAIN * (gapMs - this.usualMs)
    this.longestMs = Math.max(this.longestMs, gapMs)
  }
}
