/**
 * Keeps the node's card and provider records on the DHT while the node serves, and withdraws them when it does not.
 *
 * This file is the loop. card.ts decides what to publish, and schedule.ts when.
 */
import { deadline, signCard, type Card } from '@potluck/protocol'
import type { PrivateKey } from '@libp2p/interface'
import type { Logger } from 'pino'

import { PROVIDE_INTERVAL_MS, PUBLISH_TIMEOUT_MS, WITHDRAW_TIMEOUT_MS } from '../limits/limits.ts'
import { buildCard, selectAddresses, type CardFacts } from './card.ts'
import { provide, providerKeys, putCard, stopProviding, type Dht } from './publish.ts'
import { afterAttempt, afterChange, nextPublication, startState, type PublishState } from './schedule.ts'

export interface AdvertiserOptions {
  dht: Dht
  facts: CardFacts
  addresses: () => readonly string[]
  privateKey: PrivateKey
  logger: Logger
  /** Milliseconds since the epoch. */
  now: () => number
  /** Called after every publication that at least one peer stored. */
  onPublished: (card: Card) => void
}

export interface SignedCard {
  card: Card
  bytes: Uint8Array
}

export class Advertiser {
  readonly #options: AdvertiserOptions
  readonly #stopped = new AbortController()
  #state: PublishState
  #signed: SignedCard
  #sequence: number
  #draining = false
  /** True if a peer may store a card of this node. */
  #published = false
  #providedAt = -Infinity
  #timer: NodeJS.Timeout | undefined
  #busy = false
  #publishing: Promise<void> = Promise.resolve()

  /** Signs the first card. The advertiser publishes it when the DHT has a peer. */
  static async start(options: AdvertiserOptions): Promise<Advertiser> {
    return new Advertiser(options, await signNow(options, { draining: false, sequence: options.now() }))
  }

  private constructor(options: AdvertiserOptions, signed: SignedCard) {
    this.#options = options
    this.#signed = signed
    this.#sequence = signed.card.sequence
    this.#state = startState(options.now())
    this.#schedule()
  }

  /** The newest signed card. */
  get signed(): SignedCard {
    return this.#signed
  }

  /**
   * The DHT gained a peer. Until now, too few peers may have stored the records. So the advertiser publishes them
   * again.
   */
  peerGained(): void {
    this.#providedAt = -Infinity
    this.#change(false)
  }

  /** The node's addresses may differ from the card's. */
  addressesChanged(): void {
    const { addresses, facts, logger } = this.#options
    const known = this.#signed.card.addresses
    const current = selectAddresses(addresses(), facts.scope)
    if (current.length === known.length && current.every((address) => known.includes(address))) return
    this.#sign().catch((error: unknown) => logger.warn({ err: error }, 'cannot sign the card'))
    this.#change(false)
  }

  /** The engine failed for good. The advertiser withdraws the model at once, in the card and on the DHT. */
  engineFailed(): void {
    const { dht, logger } = this.#options
    const keys = providerKeys(this.#signed.card.models)
    Promise.all([this.#sign(), stopProviding(dht, keys, this.#stopped.signal)]).catch((error: unknown) => {
      if (!this.#stopped.signal.aborted) logger.warn({ err: error }, 'cannot withdraw the model')
    })
    this.#change(true)
  }

  /**
   * Publishes a tombstone in place of the card, and stops renewing the provider records. A tombstone is a card that
   * says that the node shuts down. This takes at most `WITHDRAW_TIMEOUT_MS`. The advertiser publishes nothing
   * afterwards.
   */
  async withdraw(): Promise<void> {
    const keys = providerKeys(this.#signed.card.models)
    this.#draining = true
    this.#stopped.abort()
    clearTimeout(this.#timer)
    await this.#publishing
    await this.#sign()
    const { dht, logger } = this.#options
    const signal = AbortSignal.timeout(WITHDRAW_TIMEOUT_MS)
    try {
      await stopProviding(dht, keys, signal)
      // No peer stores a card that was never published.
      if (this.#published) await putCard(dht, this.#signed.card, this.#signed.bytes, signal)
    } catch (error) {
      logger.debug({ err: error }, 'publishing the tombstone failed')
    }
  }

  /** Stops without publishing a tombstone. */
  async stop(): Promise<void> {
    this.#stopped.abort()
    clearTimeout(this.#timer)
    await this.#publishing
  }

  #change(urgent: boolean): void {
    this.#state = afterChange(this.#state, { at: this.#options.now(), urgent })
    this.#schedule()
  }

  #schedule(): void {
    clearTimeout(this.#timer)
    if (this.#stopped.signal.aborted || this.#busy) return
    const waitMs = Math.max(0, nextPublication(this.#state) - this.#options.now())
    this.#timer = setTimeout(() => {
      this.#publishing = this.#publish()
    }, waitMs)
    this.#timer.unref()
  }

  async #publish(): Promise<void> {
    const { dht, logger, now, onPublished } = this.#options
    const signal = deadline(PUBLISH_TIMEOUT_MS, this.#stopped.signal)
    const before = this.#state
    // A change that happens from here on belongs to the next publication.
    this.#state = { ...before, changedAt: undefined, urgent: false }
    this.#busy = true
    let storers = 0
    try {
      await this.#sign()
      const { card, bytes } = this.#signed
      this.#published = true
      const [put] = await Promise.all([putCard(dht, card, bytes, signal), this.#provide(signal)])
      storers = put
      logger.debug({ storers, models: card.models.length }, 'published the card')
    } catch (error) {
      logger.debug({ err: error }, 'publishing the card failed')
    }
    const { changedAt, urgent } = this.#state
    this.#state = { ...afterAttempt(before, { at: now(), storers }), changedAt, urgent }
    this.#busy = false
    if (storers > 0) onPublished(this.#signed.card)
    this.#schedule()
  }

  async #provide(signal: AbortSignal): Promise<void> {
    const { dht, now } = this.#options
    const keys = providerKeys(this.#signed.card.models)
    const since = now()
    if (since - this.#providedAt < PROVIDE_INTERVAL_MS || keys.length === 0) return
    this.#providedAt = since
    if ((await provide(dht, keys, signal)) === 0) this.#providedAt = -Infinity
  }

  async #sign(): Promise<void> {
    // Two cards must not have the same sequence, even if they are signed in the same millisecond. Otherwise the peers
    // that store cards could keep either of them.
    this.#sequence = Math.max(this.#options.now(), this.#sequence + 1)
    const signed = await signNow(this.#options, { draining: this.#draining, sequence: this.#sequence })
    if (signed.card.sequence > this.#signed.card.sequence) this.#signed = signed
  }
}

async function signNow(
  { facts, addresses, privateKey }: AdvertiserOptions,
  now: { draining: boolean; sequence: number }
): Promise<SignedCard> {
  const card = buildCard(facts, { addresses: addresses(), ...now })
  return { card, bytes: await signCard(card, privateKey) }
}
