import { pino } from 'pino'
import { ScriptedEngine, startLlamaEngine } from '../../node/engine/index.ts'
import { crumb } from '../../node/models/crumb.ts'
import { describeShapes } from './shapes.ts'

describeShapes('scripted', async () => new ScriptedEngine({ contextLength: 2048 }))
describeShapes('llama', () =>
  startLlamaEngine({ modelPath: crumb.Q8_0.path, threads: 1, gpu: false, logger: pino({ level: 'silent' }) })
)
