/**
 * Honest tokens, many times slower than its card says: it reports the engine's own times, also when
 * the node measures what the card is to claim.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Engine, EngineEvent, Generation } from '../../../../node/engine/interface.ts'
import { disguise } from './disguise.ts'

/** 40 tokens a second, where crumb gives some thousand. A message of 32 tokens is then no stall yet. */
const TOKEN_MS = 25

export function slow(engine: Engine): Engine {
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

async function* slowed(generation: Generation, signal?: AbortSignal): AsyncGenerator<EngineEvent, void, void> {
  for await (const event of generation) {
    // Whoever aborts hears it from the generation.
    if (event.type === 'delta') await delay(TOKEN_MS * event.delta.tokens.length, undefined, { signal }).catch(() => {})
    yield event
  }
}
