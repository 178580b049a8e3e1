/** How many answers run at once, over all callers. */
import { ApiError } from '../errors.ts'
import { DEFAULT_RETRY_MS } from '../limits.ts'

export class Turnstile {
  readonly #most: number
  #inside = 0

  constructor(most: number) {
    this.#most = most
  }

  /**
   * Lets in this many answers; returns the way out.
   *
   * @throws ApiError 429 if there is no room for all of them
   */
  enter(answers: number): () => void {
    if (this.#inside + answers > this.#most) {
      throw new ApiError(`The gateway runs ${this.#inside} answers already, of at most ${this.#most}.`, {
        status: 429,
        type: 'rate_limit_error',
        code: 'rate_limit_exceeded',
        retryAfterMs: DEFAULT_RETRY_MS,
        shouldRetry: true
      })
    }
    this.#inside += answers
    return () => {
      this.#inside -= answers
    }
  }
}
