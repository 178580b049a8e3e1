/**
 * How much trouble a peer may make: a token bucket for each, bounded in number.
 *
 * Only requests that were not seen through are counted. Those that are answered are bounded by the
 * queue and the slots already, and a busy client must not be punished for being served fast.
 */
export interface PatienceOptions {
  /** Tokens of a full bucket. */
  capacity: number
  /** Tokens that come back in a second. */
  perSecond: number
  /** Buckets kept; the one unused longest is forgotten first. */
  peers: number
  /** Milliseconds; any origin. */
  now: () => number
}

interface Bucket {
  tokens: number
  at: number
}

export class Patience {
  readonly #options: PatienceOptions
  /** Least recently used first. Full buckets are not kept. */
  readonly #buckets = new Map<string, Bucket>()

  constructor(options: PatienceOptions) {
    this.#options = options
  }

  /** Milliseconds until the peer may try again; 0: now. */
  waitMs(peer: string): number {
    const tokens = this.#tokens(peer)
    return tokens >= 1 ? 0 : Math.ceil(((1 - tokens) / this.#options.perSecond) * 1000)
  }

  /** Takes one token, or what is left of it. */
  strike(peer: string): void {
    const { peers, now } = this.#options
    const tokens = Math.max(0, this.#tokens(peer) - 1)
    this.#buckets.delete(peer)
    this.#buckets.set(peer, { tokens, at: now() })
    if (this.#buckets.size <= peers) return
    const oldest = this.#buckets.keys().next().value
    if (oldest !== undefined) this.#buckets.delete(oldest)
  }

  #tokens(peer: string): number {
    const { capacity, perSecond, now } = this.#options
    const bucket = this.#buckets.get(peer)
    if (bucket === undefined) return capacity
    const tokens = bucket.tokens + ((now() - bucket.at) / 1000) * perSecond
    if (tokens < capacity) return tokens
    this.#buckets.delete(peer)
    return capacity
  }
}
