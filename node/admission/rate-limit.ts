/**
 * The rate limit for failed requests: a token bucket for each peer, and a limited number of buckets.
 *
 * A request takes a token if it fails through the peer's own fault, if the peer cancels it, or if admission control
 * refuses it. A request that the node answers takes no token. The queue and the slots already limit those requests, and
 * the rate limit must not punish a client for using a fast node.
 */
import { LRUCache } from 'lru-cache'

export interface RateLimitOptions {
  /** Tokens of a full bucket. */
  capacity: number
  /** Tokens that a bucket regains each second. */
  perSecond: number
  /** The most buckets to keep. The bucket of the peer that failed least recently is dropped first. */
  peers: number
  /** Milliseconds; any origin. */
  now: () => number
}

interface Bucket {
  tokens: number
  /** The time at which `tokens` was counted. */
  at: number
}

export class RateLimit {
  readonly #options: RateLimitOptions
  /** A full bucket is not kept. */
  readonly #buckets: LRUCache<string, Bucket>

  constructor(options: RateLimitOptions) {
    this.#options = options
    this.#buckets = new LRUCache({ max: options.peers })
  }

  /** Milliseconds until the peer may send another request. 0: now. */
  waitMs(peer: string): number {
    const tokens = this.#tokens(peer)
    return tokens >= 1 ? 0 : Math.ceil(((1 - tokens) / this.#options.perSecond) * 1000)
  }

  /** Takes one token, or what is left of it. */
  take(peer: string): void {
    const tokens = Math.max(0, this.#tokens(peer) - 1)
    this.#buckets.set(peer, { tokens, at: this.#options.now() })
  }

  #tokens(peer: string): number {
    const { capacity, perSecond, now } = this.#options
    // `peek` does not count as a use of the bucket, but `take` does.
    const bucket = this.#buckets.peek(peer)
    if (bucket === undefined) return capacity
    const tokens = bucket.tokens + ((now() - bucket.at) / 1000) * perSecond
    if (tokens < capacity) return tokens
    this.#buckets.delete(peer)
    return capacity
  }
}
