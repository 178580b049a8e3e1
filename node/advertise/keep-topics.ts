/** Keeps a node's provider records published: renews them, repeats failed publications, and follows changes. */
import type { KadPeer, Topic } from '@potluck/protocol'

import { PUBLISH_DELAY_MS, PUBLISH_RETRY_MS, PUBLISH_TIMEOUT_MS } from '../limits/limits.ts'
import {
  CLOCK_CHECK_MS,
  FIRST_SERVER_WAIT_MS,
  GAINED_SERVER_PAUSE_MS,
  MAX_GAINED_SERVERS,
  RENEW_RECORDS_MS
} from './limits.ts'
import type { TopicNetwork } from './find-depth.ts'
import type { TopicPublisher, TopicResult } from './publish-topics.ts'

export interface KeepTopicsOptions {
  publisher: TopicPublisher
  network: Pick<TopicNetwork, 'sleep' | 'random'>
  /** The topics of the node now. */
  topics: () => readonly Topic[]
  /** Milliseconds. */
  now: () => number
  /** Called after every publication. */
  onResult: (result: TopicResult) => void
}

export class KeepTopics {
  readonly #options: KeepTopicsOptions
  /** Servers that the node met, and that may need the records. By peer id. */
  readonly #gained = new Map<string, KadPeer>()
  #changed = false
  #wake = Promise.withResolvers<void>()

  constructor(options: KeepTopicsOptions) {
    this.#options = options
  }

  /** Notes that the node met a server of the DHT. */
  gained(server: KadPeer): void {
    const id = server.peerId.toString()
    if (this.#gained.size >= MAX_GAINED_SERVERS && !this.#gained.has(id)) return
    this.#gained.set(id, server)
    this.#wake.resolve()
  }

  /** Notes that the node's topics or addresses changed. */
  changed(): void {
    this.#changed = true
    this.#wake.resolve()
  }

  /** Resolves when the signal fires. */
  async run(signal: AbortSignal): Promise<void> {
    const { network, now, onResult } = this.#options
    try {
      // A publication before the node knows a server would only fail.
      for (const until = now() + FIRST_SERVER_WAIT_MS; this.#gained.size === 0 && now() < until;) {
        await this.#pause(until - now(), signal)
      }
      for (let failures = 0; ;) {
        this.#gained.clear()
        this.#changed = false
        const result = await this.#publish(signal)
        signal.throwIfAborted()
        onResult(result)
        failures = result.failure === undefined ? 0 : failures + 1
        await this.#follow(failures > 0 ? retryAfter(failures) : renewAfter(network.random), failures > 0, signal)
      }
    } catch (error) {
      if (!signal.aborted) throw error
    }
  }

  /** Resolves when the node must publish again: after `waitMs`, or earlier after some changes. */
  async #follow(waitMs: number, failed: boolean, signal: AbortSignal): Promise<void> {
    const { publisher, network, now, topics } = this.#options
    const since = now()
    // If the clock was set back, it does not show how old the records are.
    for (let passed = 0; passed >= 0 && passed < waitMs; passed = now() - since) {
      const [server] = this.#gained.values()
      if (this.#changed || (failed && server !== undefined)) {
        // Several changes at once cause one publication.
        await network.sleep(PUBLISH_DELAY_MS, signal)
        const isNew = topics().some((topic) => publisher.depthOf(topic) === undefined)
        if (failed || isNew) return
        this.#changed = false
        await this.#within(signal, async (until) => await publisher.refresh(until))
      } else if (server === undefined) {
        // Rounded up, because a clock with fractions may not advance by a smaller fraction.
        await this.#pause(Math.ceil(Math.min(waitMs - passed, CLOCK_CHECK_MS)), signal)
      } else {
        this.#gained.delete(server.peerId.toString())
        await this.#within(signal, async (until) => await publisher.publishAt(server, until))
        await network.sleep(GAINED_SERVER_PAUSE_MS, signal)
      }
    }
  }

  async #publish(signal: AbortSignal): Promise<TopicResult> {
    const { publisher, topics } = this.#options
    return await this.#within(signal, async (until) => {
      try {
        return await publisher.publish(topics(), until)
      } catch (error) {
        if (!until.aborted) throw error
        return { storers: 0, failure: 'the DHT did not reply in time' }
      }
    })
  }

  /** Aborts `work` after the timeout of a publication. */
  async #within<T>(signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const late = new AbortController()
    const done = new AbortController()
    this.#options.network.sleep(PUBLISH_TIMEOUT_MS, AbortSignal.any([signal, done.signal])).then(
      () => late.abort(),
      () => undefined
    )
    try {
      return await work(AbortSignal.any([signal, late.signal]))
    } finally {
      done.abort()
    }
  }

  /** Resolves after this time, or at the next change. */
  async #pause(ms: number, signal: AbortSignal): Promise<void> {
    const woken = new AbortController()
    this.#wake = Promise.withResolvers()
    const slept = this.#options.network.sleep(ms, AbortSignal.any([signal, woken.signal])).catch(() => undefined)
    await Promise.race([slept, this.#wake.promise])
    woken.abort()
    signal.throwIfAborted()
  }
}

function retryAfter(failures: number): number {
  return Math.min(PUBLISH_RETRY_MS.first * 2 ** (failures - 1), PUBLISH_RETRY_MS.last)
}

function renewAfter(random: () => number): number {
  return RENEW_RECORDS_MS.shortest + random() * (RENEW_RECORDS_MS.longest - RENEW_RECORDS_MS.shortest)
}
