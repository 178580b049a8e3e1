/** Reports failed publications. The log gets the first failure of a series, and the end of the series. */
import type { Logger } from 'pino'

export class Failures {
  readonly #logger: Logger
  readonly #onFailed: (reason: string) => void
  readonly #failing = new Map<string, string>()

  /** @param onFailed called for every failure, with the reason in one line */
  constructor(logger: Logger, onFailed: (reason: string) => void) {
    this.#logger = logger
    this.#onFailed = onFailed
  }

  /** The reason of the oldest failure that has not ended. */
  get reason(): string | undefined {
    return this.#failing.values().next().value
  }

  /** @param reason undefined: the publication succeeded */
  report(what: 'card' | 'records', reason: string | undefined): void {
    const failed = this.#failing.size > 0
    if (reason === undefined) {
      this.#failing.delete(what)
      if (failed && this.#failing.size === 0) this.#logger.info('clients can find this node again')
      return
    }
    this.#failing.set(what, reason)
    if (!failed) this.#logger.info({ reason }, 'new clients may not find this node: publishing on the DHT failed')
    this.#onFailed(reason)
  }
}
