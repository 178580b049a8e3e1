/**
 * Generates honest tokens, but many times more slowly than the node's card claims. It reports the timings of the real
 * engine, and the node also measures the rates for its card with these timings.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Engine, EngineEvent, Generation } from '../../../../node/engine/interface.ts'
import { wrapEngine } from './wrap.ts'

/** 40 tokens per second. The real engine generates about 1,000 with crumb. */
const TOKEN_MS = 25
/** At least this many times slower than the real engine. On a busy machine, `TOKEN_MS` alone would not be slow. */
const SLOWDOWN = 4
/** A longer pause would count as a stall. */
const MAX_PAUSE_MS = 1000

export function slow(engine: Engine): Engine {
  let engineTokenMs = 0
  async function* slowed(generation: Generation, signal?: AbortSignal): AsyncGenerator<EngineEvent, void, void> {
    for await (const event of generation) {
      if (event.type === 'delta') {
        const tokenMs = Math.max(TOKEN_MS, SLOWDOWN * engineTokenMs)
        const pauseMs = Math.min(MAX_PAUSE_MS, tokenMs * event.delta.tokens.length)
        // After an abort the generation itself throws.
        await delay(pauseMs, undefined, { signal }).catch(() => undefined)
      }
      if (event.type === 'done') engineTokenMs = event.decodeMs / Math.max(1, event.usage.completionTokens)
      yield event
    }
  }
  return wrapEngine(engine, {
    generate: (job, signal) => {
      const generation = engine.generate(job, signal)
      return {
        grant: (tokens) => generation.grant(tokens),
        [Symbol.asyncIterator]: () => slowed(generation, signal)
      }
    }
  })
}
