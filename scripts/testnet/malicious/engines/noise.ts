/** Answers with random text: samples almost uniformly, whatever parameters the request has. */
import type { Engine } from '../../../../node/engine/interface.ts'
import { wrapEngine } from './wrap.ts'

/** At this temperature the differences between logits hardly matter. */
const TEMPERATURE = 100

export function noise(engine: Engine): Engine {
  return wrapEngine(engine, {
    generate: (job, signal) => {
      const sampling = { ...job.sampling, temperature: TEMPERATURE, topK: 0, topP: 1, minP: 0 }
      return engine.generate({ ...job, sampling }, signal)
    }
  })
}
