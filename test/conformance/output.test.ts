import { pino } from 'pino'
import { startLlamaEngine } from '../../node/engine/index.ts'
import { crumb } from '../../node/models/crumb.ts'
import { ScriptedEngine } from '../scripted-engine/engine.ts'
import { describeOutput } from './output.ts'

describeOutput('scripted', async () => new ScriptedEngine({ contextLength: 2048 }))
describeOutput('llama', () =>
  startLlamaEngine({ modelPath: crumb.Q8_0.path, threads: 1, gpu: false, logger: pino({ level: 'silent' }) })
)
