/** Throws dice among the candidates, whatever was asked: words in no order. */
import type { Engine } from '../../../../node/engine/interface.ts'
import { disguise } from './disguise.ts'

/** At this one the candidates' logits hardly count. */
const TEMPERATURE = 100

export function noise(engine: Engine): Engine {
  return disguise(engine, {
    generate: (job, signal) => {
      const sampling = { ...job.sampling, temperature: TEMPERATURE, topK: 0, topP: 1, minP: 0 }
      return engine.generate({ ...job, sampling }, signal)
    }
  })
}
