/** Measures how fast the engine is, for the card. */
import { deadline, DEFAULT_SAMPLING } from '@potluck/protocol'

import type { Engine } from '../engine/interface.ts'
import { MEASURE_LIMIT_MS, MEASURE_MS, MEASURE_RUNS } from '../limits/limits.ts'

export interface Rates {
  /** Prompt tokens evaluated per second. 0: not measured. */
  prefillTokensPerSecond: number
  /** Answer tokens per second, with one answer at a time. 0: not measured. */
  decodeTokensPerSecond: number
}

type MeasuredEngine = Pick<Engine, 'model' | 'tokenize' | 'generate' | 'residence'>

interface Run {
  promptTokens: number
  answerTokens: number
}

/** Small enough for a slow machine. Its rates are used only if there is no time for a whole run. */
const SMALL: Run = { promptTokens: 32, answerTokens: 8 }
/** Long enough that the fixed cost of an evaluation does not matter. */
const WHOLE: Run = { promptTokens: 256, answerTokens: 32 }

/**
 * Measures as many runs as fit into `MEASURE_MS`, and returns the median rates. With a slow engine this can take
 * longer, up to `MEASURE_LIMIT_MS`. If the engine fails, the rates are 0.
 *
 * @throws the signal's reason; PotluckError if a model that is not always in memory cannot be loaded
 */
export async function measureRates(engine: MeasuredEngine, signal: AbortSignal): Promise<Rates> {
  await engine.residence?.load(signal)
  const enough = deadline(MEASURE_MS, signal)
  const limit = deadline(MEASURE_LIMIT_MS, signal)
  const small = await measureOnce(engine, SMALL, 0, limit)
  const whole: Rates[] = []
  for (let run = 1; run <= MEASURE_RUNS && !enough.aborted; run++) {
    whole.push(await measureOnce(engine, WHOLE, run, enough))
  }
  signal.throwIfAborted()
  const rate = (name: keyof Rates): number => median(whole.map((rates) => rates[name])) ?? small[name]
  return {
    prefillTokensPerSecond: rate('prefillTokensPerSecond'),
    decodeTokensPerSecond: rate('decodeTokensPerSecond')
  }
}

/** Returns the rates that are measured before the signal fires. */
async function measureOnce(
  engine: MeasuredEngine,
  { promptTokens, answerTokens }: Run,
  run: number,
  signal: AbortSignal
): Promise<Rates> {
  const rates: Rates = { prefillTokensPerSecond: 0, decodeTokensPerSecond: 0 }
  try {
    const prompt = await somePrompt(engine, promptTokens, run, signal)
    const generation = engine.generate(
      {
        promptTokens: prompt,
        answerTokens: [],
        sampling: { ...DEFAULT_SAMPLING, seed: BigInt(run), temperature: 1 },
        maxTokens: answerTokens,
        stop: [],
        credit: answerTokens
      },
      signal
    )
    for await (const event of generation) {
      if (event.type === 'prefill') {
        rates.prefillTokensPerSecond = perSecond(prompt.length - event.cachedTokens, event.prefillMs)
      }
      // The first token does not count, because the evaluation of the prompt gives it.
      if (event.type === 'done') {
        rates.decodeTokensPerSecond = perSecond(event.usage.completionTokens - 1, event.decodeMs)
      }
    }
  } catch {
    return rates
  }
  return rates
}

/** Returns a prompt that begins differently in each run. Otherwise the run would measure the engine's cache. */
async function somePrompt(engine: MeasuredEngine, length: number, run: number, signal: AbortSignal): Promise<number[]> {
  const text = `${run} ${run} ${'The quick brown fox jumps over the lazy dog. '.repeat(length / 8)}`
  const tokens = await engine.tokenize({ prompt: text }, signal)
  return tokens.slice(0, Math.min(length, Math.floor(engine.model.contextLength / 2)))
}

function perSecond(tokens: number, ms: number): number {
  return tokens > 0 && ms > 0 ? (tokens / ms) * 1000 : 0
}

/** Returns the median of the values above 0; undefined if there are none. */
function median(values: readonly number[]): number | undefined {
  const sorted = values.filter((value) => value > 0).toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)]
}
