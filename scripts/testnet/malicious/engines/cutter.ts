/** Resets the stream in the middle of every answer of more than 40 tokens. */
import { PotluckError } from '@potluck/protocol'
import type { Engine, EngineEvent, Generation } from '../../../../node/engine/interface.ts'
import { wrapEngine } from './wrap.ts'

/**
 * More tokens than a node generates at its start, when it measures its own rates. If the measurement failed, the card
 * would have no rates, and the client could notice.
 */
const CUT_AFTER_TOKENS = 40

export function cutter(engine: Engine): Engine {
  return wrapEngine(engine, {
    generate: (job, signal) => {
      const generation = engine.generate(job, signal)
      return { grant: (tokens) => generation.grant(tokens), [Symbol.asyncIterator]: () => cut(generation) }
    }
  })
}

async function* cut(generation: Generation): AsyncGenerator<EngineEvent, void, void> {
  let tokens = 0
  for await (const event of generation) {
    yield event
    if (event.type === 'delta') tokens += event.delta.tokens.length
    // The node has no frame for this code, so it resets the stream.
    if (tokens > CUT_AFTER_TOKENS) throw new PotluckError('stream_cut', 'cut on purpose')
  }
}
