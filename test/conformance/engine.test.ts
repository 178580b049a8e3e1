import { pino } from 'pino'
import { startLlamaEngine } from '../../node/engine/index.ts'
import { crumb } from '../../node/models/crumb.ts'
import { ScriptedEngine } from '../scripted-engine/engine.ts'
import { describeEngine } from './engine.ts'

/** The end tokens: `<|im_end|>` of crumb, and that of the scripted engine. */
const END = { crumb: 2, scripted: 257 }

describeEngine('scripted', async () => new ScriptedEngine(), END.scripted)
describeEngine(
  'llama',
  () => startLlamaEngine({ modelPath: crumb.Q8_0.path, threads: 1, gpu: false, logger: pino({ level: 'silent' }) }),
  END.crumb
)
