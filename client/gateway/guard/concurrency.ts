/** Limits how many answers run at once, for all callers together. */
import { ApiError } from '../errors.ts'
import { DEFAULT_RETRY_MS } from '../limits.ts'

export class ConcurrencyLimit {
  readonly #limit: number
  #running = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  /**
   * Reserves room for this many answers. Call the returned function when all of them are done.
   *
   * @throws ApiError 429 if there is no room for all of them
   */
  acquire(answers: number): () => void {
    if (this.#running + answers > this.#limit) {
      throw new ApiError(`The gateway already runs ${this.#running} of at most ${this.#limit} answers; retry later.`, {
        status: 429,
        type: 'rate_limit_error',
        code: 'rate_limit_exceeded',
        retryAfterMs: DEFAULT_RETRY_MS,
        shouldRetry: true
      })
    }
    this.#running += answers
    return () => {
      this.#running -= answers
    }
  }
}
