/**
 * `own-sampler`: node-llama-cpp's `evaluate()` with the library's own sampler, in a separate process. Batching and
 * settings are those of our engine, so the difference to `contract` is the cost of the sampling contract.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { engineEnvironment } from '../../../node/engine/child/process.ts'
import type { BenchModel, Target } from './target.ts'

const ENTRY = fileURLToPath(new URL('library-process.ts', import.meta.url))

export type ToLibrary =
  | { type: 'load'; model: BenchModel }
  | { type: 'run'; prompts: readonly (readonly number[])[]; tokens: number }

export async function startLibrary(model: BenchModel): Promise<Target> {
  const child = fork(ENTRY, {
    env: engineEnvironment(),
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'inherit', 'ipc']
  })
  const exited = once(child, 'exit').then(() => {
    throw new Error('The process of own-sampler ended.')
  })
  exited.catch(() => undefined)
  const ask = async (message: ToLibrary): Promise<void> => {
    child.send(message)
    await Promise.race([once(child, 'message'), exited])
  }
  await ask({ type: 'load', model })
  return {
    name: 'own-sampler',
    pid: child.pid,
    run: (prompts, tokens) => ask({ type: 'run', prompts: prompts.map((prompt) => prompt.tokens), tokens }),
    close: async () => {
      child.kill('SIGKILL')
      await exited.catch(() => undefined)
    }
  }
}
