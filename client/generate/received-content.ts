/** What a node sent besides token ids. The client compares it with the digests that the node signs in its receipt. */
import {
  ContentDigest,
  LogprobsDigest,
  PotluckError,
  type GenerateRequest,
  type PositionLogprobs,
  type Receipt,
  type TokenDelta
} from '@potluck/protocol'
import { equals } from 'uint8arrays/equals'

export class ReceivedContent {
  readonly #content = new ContentDigest()
  readonly #digest = new LogprobsDigest()
  /** Undefined: the request has no `top_logprobs`. */
  readonly #most: number | undefined
  readonly #logprobs: PositionLogprobs[] = []

  constructor({ topLogprobs }: Pick<GenerateRequest, 'topLogprobs'>) {
    this.#most = topLogprobs
  }

  /** In order, if the request asked for them. */
  get logprobs(): readonly PositionLogprobs[] | undefined {
    return this.#most === undefined ? undefined : this.#logprobs
  }

  /** @throws PotluckError `protocol_violation` for content that no honest node sends for this request */
  add(delta: TokenDelta): void {
    const { tokens, logprobs = [] } = delta
    const most = this.#most
    const wanted = most === undefined ? 0 : tokens.length
    if (logprobs.length !== wanted || logprobs.some(({ top }) => top.length > (most ?? 0))) {
      throw new PotluckError('protocol_violation', 'logprobs do not agree with the request')
    }
    this.#content.add(delta)
    this.#digest.add(logprobs)
    this.#logprobs.push(...logprobs)
  }

  /** Whether the receipt has the digests of all that arrived. */
  agreesWith({ contentDigest, logprobsDigest }: Pick<Receipt, 'contentDigest' | 'logprobsDigest'>): boolean {
    if (!equals(contentDigest, this.#content.digest())) return false
    if (this.#most === undefined) return logprobsDigest === undefined
    return logprobsDigest !== undefined && equals(logprobsDigest, this.#digest.digest())
  }
}
