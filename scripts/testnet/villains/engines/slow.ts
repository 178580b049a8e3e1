/**
 * Honest tokens, many times slower than its card says: it reports the engine's own times, also when
 * the node measures what the card is to claim.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Engine, EngineEvent, Generation } from '../../../../node/engine/interface.ts'
import { disguise } from './disguise.ts'

/** 40 tokens a second, where crumb gives some thousand. */
const TOKEN_MS = 25
/** So many times slower than its engine, where the machine has so much to do that this is not slow. */
const SLOWDOWN = 4
/** More would be a stall. */
const MAX_PAUSE_MS = 1000

export function slow(engine: Engine): Engine {
  let engineTokenMs = 0
  async function* slowed(generation: Generation, signal?: AbortSignal): AsyncGenerator<EngineEvent, void, void> {
    for await (const event of generation) {
      if (event.type === 'delta') {
        const tokenMs = Math.max(TOKEN_MS, SLOWDOWN * engineTokenMs)
        const pauseMs = Math.min(MAX_PAUSE_MS, tokenMs * event.delta.tokens.length)
        // Whoever aborts hears it from the generation.
        await delay(pauseMs, undefined, { signal }).catch(() => undefined)
      }
      if (event.type === 'done') engineTokenMs = event.decodeMs / Math.max(1, event.usage.completionTokens)
      yield event
    }
  }
  return disguise(engine, {
    generate: (job, signal) => {
      const generation = engine.generate(job, signal)
      return {
        grant: (tokens) => generation.grant(tokens),
        [Symbol.asyncIterator]: () => slowed(generation, signal)
      }
    }
  })
}
