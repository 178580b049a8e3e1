/**
 * The node's metrics. They have vLLM's names with another prefix, so that vLLM's dashboards are easy to adapt. A label
 * can contain an error code, but never a peer id or other data from the wire.
 */
import type { ErrorCode, Load } from '@potluck/protocol'
import { Counter, Gauge, Histogram, Registry } from 'prom-client'

import type { EngineCounters } from '../engine/interface.ts'

/** How a request ended: `done`, or with an error code. */
export type Outcome = ErrorCode | 'done'

/** The metrics as an object, for `potluck status` and tests. Counters start at 0 when the node starts. */
export interface NodeMetrics {
  requestsRunning: number
  requestsWaiting: number
  slotsFree: number
  /** Open streams with a request, or waiting for one. Card streams are not counted. */
  streamsOpen: number
  /** Generate, embed and audit requests. */
  requestsFinished: Readonly<Partial<Record<Outcome, number>>>
  /** Different peers whose requests the node answered completely. The count stops at `MOST_PEERS`. */
  peersServed: number
  /** Tokens of accepted prompts, including cached tokens. */
  promptTokens: number
  /** Tokens sent. */
  generationTokens: number
  /** The time from the arrival of a request to its first token. */
  timeToFirstTokenSeconds: Distribution
  /** The time between two deltas of one answer. */
  interTokenLatencySeconds: Distribution
  /** Of all models together. Undefined while every engine is down. */
  engine: EngineCounters | undefined
}

export interface Distribution {
  count: number
  sum: number
}

export interface MetricsSources {
  load: () => Load
  streamsOpen: () => number
  /** One for each model. A function rejects while its engine is down. */
  engines: readonly (() => Promise<EngineCounters>)[]
}

/** Records the deltas of one answer. */
export interface AnswerObserver {
  delta: (tokens: number) => void
}

const PREFIX = 'potluck_'
/** The most peer ids that are kept to count peers. Each takes about 100 bytes. */
const MOST_PEERS = 20_000
/**
 * Upper limits of the buckets in seconds, the same as vLLM's. The smallest fits a cached prefix on a GPU, the largest a
 * long prompt on a processor.
 */
const FIRST_TOKEN_BUCKETS = [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 40]
const INTER_TOKEN_BUCKETS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5]

export class Metrics {
  readonly #sources: MetricsSources
  readonly #clock: () => number
  readonly #registry = new Registry()
  readonly #running = this.#gauge('num_requests_running', 'Requests in a slot')
  readonly #waiting = this.#gauge('num_requests_waiting', 'Requests in the queue')
  readonly #slotsFree = this.#gauge('num_slots_free', 'Slots without a request')
  readonly #streams = this.#gauge('num_streams_open', 'Open streams with a request, or waiting for one')
  readonly #promptTokens = this.#counter('prompt_tokens_total', 'Tokens of accepted prompts, including cached tokens')
  readonly #generationTokens = this.#counter('generation_tokens_total', 'Tokens sent')
  readonly #finished = this.#counter('requests_finished_total', 'Generate, embed and audit requests by outcome', [
    'outcome'
  ])
  readonly #prefillTokens = this.#counter('engine_prefill_tokens_total', 'Prompt tokens evaluated')
  readonly #decodeTokens = this.#counter('engine_decode_tokens_total', 'Answer tokens evaluated')
  readonly #restarts = this.#counter('engine_restarts_total', 'Restarts of the engine after a crash')
  readonly #firstToken = this.#histogram('time_to_first_token_seconds', FIRST_TOKEN_BUCKETS)
  readonly #interToken = this.#histogram('inter_token_latency_seconds', INTER_TOKEN_BUCKETS)
  readonly #peers = new Set<string>()

  /** @param clock milliseconds, monotonic */
  constructor(sources: MetricsSources, clock: () => number) {
    this.#sources = sources
    this.#clock = clock
  }

  accepted(promptTokens: number): void {
    this.#promptTokens.inc(promptTokens)
  }

  /** @param peer the caller's peer id */
  finished(outcome: Outcome, peer?: string): void {
    this.#finished.inc({ outcome })
    if (outcome === 'done' && peer !== undefined && this.#peers.size < MOST_PEERS) this.#peers.add(peer)
  }

  /** @param arrivedAt when the request arrived, by the monotonic clock */
  observeAnswer(arrivedAt: number): AnswerObserver {
    let last = arrivedAt
    let histogram = this.#firstToken
    return {
      delta: (tokens) => {
        const now = this.#clock()
        histogram.observe((now - last) / 1000)
        this.#generationTokens.inc(tokens)
        last = now
        histogram = this.#interToken
      }
    }
  }

  async snapshot(): Promise<NodeMetrics> {
    const load = this.#sources.load()
    return {
      requestsRunning: load.active,
      requestsWaiting: load.queued,
      slotsFree: load.slots - load.active,
      streamsOpen: this.#sources.streamsOpen(),
      requestsFinished: Object.fromEntries(
        (await this.#finished.get()).values.map(({ labels, value }) => [labels['outcome'], value])
      ),
      peersServed: this.#peers.size,
      promptTokens: await total(this.#promptTokens),
      generationTokens: await total(this.#generationTokens),
      timeToFirstTokenSeconds: await distribution(this.#firstToken),
      interTokenLatencySeconds: await distribution(this.#interToken),
      engine: await sumOf(this.#sources.engines)
    }
  }

  /** Returns the metrics in the text format of Prometheus. */
  async text(): Promise<{ contentType: string; body: string }> {
    const now = await this.snapshot()
    this.#running.set(now.requestsRunning)
    this.#waiting.set(now.requestsWaiting)
    this.#slotsFree.set(now.slotsFree)
    this.#streams.set(now.streamsOpen)
    assign(this.#prefillTokens, now.engine?.prefillTokens)
    assign(this.#decodeTokens, now.engine?.decodeTokens)
    assign(this.#restarts, now.engine?.restarts)
    return { contentType: this.#registry.contentType, body: await this.#registry.metrics() }
  }

  #gauge(name: string, help: string): Gauge {
    return new Gauge({ name: PREFIX + name, help, registers: [this.#registry] })
  }

  #counter(name: string, help: string, labelNames: string[] = []): Counter {
    return new Counter({ name: PREFIX + name, help, labelNames, registers: [this.#registry] })
  }

  #histogram(name: string, buckets: number[]): Histogram {
    const help = name.replaceAll('_', ' ')
    return new Histogram({ name: PREFIX + name, help, buckets, registers: [this.#registry] })
  }
}

/** Sets a counter to the engine's value, which starts at 0 again when the engine's process restarts. */
function assign(counter: Counter, value: number | undefined): void {
  if (value === undefined) return
  counter.reset()
  counter.inc(value)
}

async function sumOf(engines: MetricsSources['engines']): Promise<EngineCounters | undefined> {
  const all = await Promise.all(engines.map(async (counters) => await counters().catch(() => undefined)))
  const up = all.filter((counters) => counters !== undefined)
  if (up.length === 0) return undefined
  const total = (name: Exclude<keyof EngineCounters, 'usedVramBytes'>): number =>
    up.reduce((sum, counters) => sum + counters[name], 0)
  // Each engine reports the memory that all programs use.
  const [usedVramBytes] = up.flatMap((counters) => counters.usedVramBytes ?? [])
  return {
    prefillTokens: total('prefillTokens'),
    decodeTokens: total('decodeTokens'),
    activeSlots: total('activeSlots'),
    restarts: total('restarts'),
    ...(usedVramBytes === undefined ? {} : { usedVramBytes })
  }
}

async function total(counter: Counter): Promise<number> {
  const { values } = await counter.get()
  return values[0]?.value ?? 0
}

async function distribution(histogram: Histogram): Promise<Distribution> {
  const { values } = await histogram.get()
  const read = (suffix: string): number => values.find(({ metricName }) => metricName?.endsWith(suffix))?.value ?? 0
  return { count: read('_count'), sum: read('_sum') }
}
