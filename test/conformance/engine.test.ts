import { pino } from 'pino'
import { ScriptedEngine, startLlamaEngine } from '../../node/engine/index.ts'
import { crumb } from '../../node/models/crumb.ts'
import { describeEngine } from './engine.ts'

describeEngine('scripted', async () => new ScriptedEngine())
describeEngine('llama', () =>
  startLlamaEngine({ modelPath: crumb.Q8_0.path, threads: 1, gpu: false, logger: pino({ level: 'silent' }) })
)
