/** How fast the engine is, by a short run: what a card claims is measured, not looked up. */
import { DEFAULT_SAMPLING } from '@potluck/protocol'

import type { Engine } from '../engine/interface.ts'
import { MEASURE_RUNS, MEASURE_TIMEOUT_MS } from '../limits.ts'

export interface Rates {
  /** Prompt tokens evaluated per second; 0: could not be measured. */
  prefillTokensPerSecond: number
  /** Answer tokens per second, one answer at a time; 0: could not be measured. */
  decodeTokensPerSecond: number
}

/** Long enough that the fixed cost of an evaluation does not count, short enough for a slow machine. */
const PROMPT_TOKENS = 128
const ANSWER_TOKENS = 32

/** Medians over a few answers, of what could be had within the time. Throws only if `signal` fires. */
export async function measureRates(
  engine: Pick<Engine, 'model' | 'tokenize' | 'generate'>,
  signal: AbortSignal
): Promise<Rates> {
  const stop = AbortSignal.any([signal, AbortSignal.timeout(MEASURE_TIMEOUT_MS)])
  const prefill: number[] = []
  const decode: number[] = []
  for (let run = 0; run < MEASURE_RUNS && !stop.aborted; run++) {
    try {
      await measureOnce(engine, run, prefill, decode, stop)
    } catch {
      // Out of time, or an engine that fails, which it says by its status: what was measured so far counts.
      break
    }
  }
  signal.throwIfAborted()
  return { prefillTokensPerSecond: median(prefill), decodeTokensPerSecond: median(decode) }
}

async function measureOnce(
  engine: Pick<Engine, 'model' | 'tokenize' | 'generate'>,
  run: number,
  prefill: number[],
  decode: number[],
  signal: AbortSignal
): Promise<void> {
  const promptTokens = await prompt(engine, run, signal)
  const generation = engine.generate(
    {
      promptTokens,
      answerTokens: [],
      sampling: { ...DEFAULT_SAMPLING, seed: BigInt(run), temperature: 1 },
      maxTokens: ANSWER_TOKENS,
      stop: [],
      credit: ANSWER_TOKENS
    },
    signal
  )
  for await (const event of generation) {
    if (event.type === 'prefill') add(prefill, promptTokens.length - event.cachedTokens, event.prefillMs)
    // The first token comes with the prompt's evaluation.
    if (event.type === 'done') add(decode, event.usage.completionTokens - 1, event.decodeMs)
  }
}

/** Another text each time, from its beginning, or the cache would be measured. */
async function prompt(engine: Pick<Engine, 'model' | 'tokenize'>, run: number, signal: AbortSignal): Promise<number[]> {
  const text = `${run} `.repeat(2) + 'The quick brown fox jumps over the lazy dog. '.repeat(PROMPT_TOKENS / 8)
  const tokens = await engine.tokenize({ prompt: text }, signal)
  return tokens.slice(0, Math.min(PROMPT_TOKENS, Math.floor(engine.model.contextLength / 2)))
}

function add(rates: number[], tokens: number, ms: number): void {
  if (tokens > 0 && ms > 0) rates.push((tokens / ms) * 1000)
}

function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? 0
}
