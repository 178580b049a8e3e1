/** Time to the first token of a one-token request, over the network and on an engine alone. */
import type { Client } from '@potluck/client'
import { DEFAULT_SAMPLING, type ChatMessage } from '@potluck/protocol'
import type { Engine } from '../../node/engine/index.ts'
import { median, reportQuantiles, type BenchContext } from './report.ts'

export interface OneToken {
  messages: readonly ChatMessage[]
  signal: AbortSignal
}

/**
 * Milliseconds from the call to the first delta.
 *
 * @param model by default, the client selects one
 */
export async function throughNetwork(client: Client, { messages, signal }: OneToken, model = 'auto'): Promise<number> {
  const begin = performance.now()
  let first: number | undefined
  const answer = client.chat({ model, messages, maxTokens: 1, temperature: 0, signal })
  for await (const part of answer) if (part.type === 'delta') first ??= performance.now() - begin
  return present(first)
}

/** The same for an engine of this process: template, tokenizer, prefill and one token. */
export async function throughEngine(engine: Engine, { messages, signal }: OneToken): Promise<number> {
  const begin = performance.now()
  let first: number | undefined
  const promptTokens = await engine.tokenize({ messages }, signal)
  const sampling = { ...DEFAULT_SAMPLING, seed: 0n, temperature: 0 }
  const job = { promptTokens, answerTokens: [], sampling, maxTokens: 1, stop: [], credit: 1 }
  for await (const event of engine.generate(job, signal))
    if (event.type === 'delta') first ??= performance.now() - begin
  return present(first)
}

function present(first: number | undefined): number {
  if (first === undefined) throw new Error('The answer has no token.')
  return first
}

/** One way to send a one-token request. */
export interface Path {
  /** The case of its rows. */
  name: string
  /** Sends one request, and resolves to the milliseconds until its first token. */
  measure: () => Promise<number>
}

export interface Comparison {
  path: Path
  baseline: Path
  /** The case of the rows for what `path` adds to `baseline`. */
  addedCase: string
  requests: number
  /** Requests that are sent before the measurement, and not counted. */
  warmUp: number
}

/**
 * Measures the time to first token of two paths in turn, so that other load on the machine affects both. Reports both
 * paths, and what `path` adds to `baseline`.
 */
export async function compareFirstToken(
  { path, baseline, addedCase, requests, warmUp }: Comparison,
  report: BenchContext['report']
): Promise<void> {
  const samples: [path: number[], baseline: number[]] = [[], []]
  for (let index = 0; index < warmUp + requests; index++) {
    const measured = [await path.measure(), await baseline.measure()] as const
    if (index < warmUp) continue
    samples[0].push(measured[0])
    samples[1].push(measured[1])
  }
  // Subtracts the baseline's median from each sample. The difference of two p99 is not the p99 of the difference.
  const added = samples[0].map((value) => value - median(samples[1]))
  const row = { metric: 'ttft_ms', unit: 'ms' }
  reportQuantiles(report, { ...row, case: path.name }, samples[0], [0.5, 0.99])
  reportQuantiles(report, { ...row, case: baseline.name }, samples[1], [0.5, 0.99])
  reportQuantiles(report, { ...row, case: addedCase, metric: 'added_ttft_ms' }, added, [0.5, 0.99])
}
