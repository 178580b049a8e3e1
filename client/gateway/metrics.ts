/**
 * The gateway's metrics. They have vLLM's names with another prefix, so that vLLM's dashboards are easy to adapt. No
 * label contains the id of a peer or a caller, or a text that a peer or a caller wrote.
 */
import type { AnswerPart } from '@potluck/client'
import { Counter, Gauge, Histogram, Registry } from 'prom-client'

const PREFIX = 'potluck_gateway_'
/** vLLM's buckets, in seconds. */
const FIRST_TOKEN_BUCKETS = [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 40]
const INTER_TOKEN_BUCKETS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5]
const REQUEST_BUCKETS = [0.1, 0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480]

/** Records one request. */
export interface RequestMetrics {
  /** @param index the number of the answer that the part belongs to */
  part: (index: number, part: AnswerPart) => void
  embedded: (promptTokens: number) => void
  /** @param outcome `done`, or the code of the error */
  finished: (outcome: string) => void
}

export class GatewayMetrics {
  readonly #now: () => number
  readonly #registry = new Registry()
  readonly #running = this.#gauge('num_requests_running', 'Requests for which a node is generating')
  readonly #waiting = this.#gauge(
    'num_requests_waiting',
    'Requests that no node has accepted yet, or that wait in the queue of a node'
  )
  readonly #promptTokens = this.#counter('prompt_tokens_total', 'Prompt tokens, including cached ones')
  readonly #cachedTokens = this.#counter('prompt_tokens_cached_total', 'Prompt tokens that a node had in its cache')
  readonly #generationTokens = this.#counter('generation_tokens_total', 'Generated tokens')
  readonly #failovers = this.#counter('failovers_total', 'Nodes that failed before another node answered')
  readonly #finished = this.#counter('requests_finished_total', 'Finished requests by endpoint and outcome', [
    'endpoint',
    'outcome'
  ])
  readonly #firstToken = this.#histogram('time_to_first_token_seconds', FIRST_TOKEN_BUCKETS)
  readonly #interToken = this.#histogram('inter_token_latency_seconds', INTER_TOKEN_BUCKETS)
  readonly #latency = this.#histogram('e2e_request_latency_seconds', REQUEST_BUCKETS)

  /** @param now monotonic time in milliseconds */
  constructor(now: () => number) {
    this.#now = now
  }

  request(endpoint: string): RequestMetrics {
    const startedAt = this.#now()
    const last = new Map<number, number>()
    let state: Gauge = this.#waiting
    state.inc()
    const setRunning = (): void => {
      if (state === this.#running) return
      state.dec()
      state = this.#running
      state.inc()
    }
    return {
      part: (index, part) => {
        if (part.type === 'accepted') {
          if (part.queuePosition === 0) setRunning()
        } else if (part.type === 'delta') {
          setRunning()
          const now = this.#now()
          const before = last.get(index)
          if (before === undefined) this.#firstToken.observe((now - startedAt) / 1000)
          else this.#interToken.observe((now - before) / 1000)
          last.set(index, now)
          this.#generationTokens.inc(part.tokens.length)
        } else {
          this.#promptTokens.inc(part.usage.promptTokens)
          this.#cachedTokens.inc(part.usage.cachedTokens)
          this.#failovers.inc(part.metadata.failures.length)
        }
      },
      embedded: (promptTokens) => this.#promptTokens.inc(promptTokens),
      finished: (outcome) => {
        state.dec()
        this.#finished.inc({ endpoint, outcome })
        this.#latency.observe((this.#now() - startedAt) / 1000)
      }
    }
  }

  /** The metrics in Prometheus' text format. */
  async text(): Promise<{ contentType: string; body: string }> {
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
