import { pino } from 'pino'
import { ScriptedEngine, startLlamaEngine } from '../../node/engine/index.ts'
import { crumb } from '../../node/models/crumb.ts'
import { describeEngine } from './engine.ts'

/** <|im_end|> of crumb, and the end of the scripted engine's vocabulary. */
const END = { crumb: 2, scripted: 257 }

describeEngine('scripted', async () => new ScriptedEngine(), END.scripted)
describeEngine(
  'llama',
  () => startLlamaEngine({ modelPath: crumb.Q8_0.path, threads: 1, gpu: false, logger: pino({ level: 'silent' }) }),
  END.crumb
)
