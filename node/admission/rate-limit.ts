/**
 * The rate limit of peers whose requests fail: a token bucket for each peer, and a bounded number of buckets.
 *
 * Only requests that fail through the peer's own fault take a token. The queue and the slots already bound the requests
 * that the node answers, and a busy client must not be punished because its node is fast.
 */
import { LRUCache } from 'lru-cache'

export interface RateLimitOptions {
  /** Tokens of a full bucket. */
  capacity: number
  /** Tokens that a bucket regains each second. */
  perSecond: number
  /** Buckets kept. The bucket of the peer that failed least recently is dropped first. */
  peers: number
  /** Milliseconds; any origin. */
  now: () => number
}

interface Bucket {
  tokens: number
  /** When `tokens` was counted. */
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

  /** Takes one token, or the rest of the last one. */
  take(peer: string): void {
    const tokens = Math.max(0, this.#tokens(peer) - 1)
    this.#buckets.set(peer, { tokens, at: this.#options.now() })
  }

  #tokens(peer: string): number {
    const { capacity, perSecond, now } = this.#options
    // Only `take` counts as a use of the bucket.
    const bucket = this.#buckets.peek(peer)
    if (bucket === undefined) return capacity
    const tokens = bucket.tokens + ((now() - bucket.at) / 1000) * perSecond
    if (tokens < capacity) return tokens
    this.#buckets.delete(peer)
    return capacity
  }
}
