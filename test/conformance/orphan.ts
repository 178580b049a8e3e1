/** A daemon that starts an engine, sends its pid, and waits. `engine-llama.test.ts` forks it and kills it. */
import { pino } from 'pino'
import { startLlamaEngine } from '../../node/engine/index.ts'
import { crumb } from '../../node/models/crumb.ts'

const engine = await startLlamaEngine({
  modelPath: crumb.Q8_0.path,
  slots: 1,
  threads: 1,
  gpu: false,
  logger: pino({ level: 'silent' })
})
process.send?.(engine.pid)
