import { runAudit } from '../../../../node/engine/audit.ts'
import type { Engine } from '../../../../node/engine/interface.ts'

/** Returns an engine that behaves like the given one, except for the given changes. */
export function wrapEngine(engine: Engine, changes: Partial<Pick<Engine, 'model' | 'generate'>>): Engine {
  const wrapped: Engine = {
    model: engine.model,
    backend: engine.backend,
    slots: engine.slots,
    remembered: engine.remembered,
    get status() {
      return engine.status
    },
    onStatus: (listener) => engine.onStatus(listener),
    tokenize: async (input, signal) => await engine.tokenize(input, signal),
    generate: (job, signal) => engine.generate(job, signal),
    score: async (job, signal) => await engine.score(job, signal),
    embed: async (job, signal) => await engine.embed(job, signal),
    read: async (job, signal) => await engine.read(job, signal),
    audit: async (job, signal) => await runAudit(job, wrapped, signal),
    counters: async () => await engine.counters(),
    close: async () => await engine.close(),
    ...changes
  }
  return wrapped
}
