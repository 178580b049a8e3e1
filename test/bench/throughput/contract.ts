/** `contract`: our engine, with its process, its messages and the sampling contract. */
import { DEFAULT_SAMPLING } from '@potluck/protocol'
import { pino } from 'pino'
import { startLlamaEngine, type Engine } from '../../../node/engine/index.ts'
import type { BenchModel, Contender, Prompt } from './contender.ts'

export interface ContractContender extends Contender {
  engine: Engine
}

/** @param ends tokens that end an answer; a bias keeps them away, so that every answer has the same length */
export async function startContract(model: BenchModel, ends: readonly number[]): Promise<ContractContender> {
  const engine = await startLlamaEngine({
    modelPath: model.path,
    slots: model.slots,
    contextLength: model.contextLength,
    threads: model.threads,
    gpu: false,
    logger: pino({ level: 'silent' })
  })
  const bias = new Map(ends.map((token) => [token, -100]))
  let runs = 0n
  const answer = async (prompt: Prompt, tokens: number, signal: AbortSignal): Promise<void> => {
    const job = {
      promptTokens: prompt.tokens,
      answerTokens: [],
      sampling: { ...DEFAULT_SAMPLING, seed: ++runs, logitBias: bias },
      maxTokens: tokens,
      stop: [],
      credit: tokens
    }
    let count = 0
    for await (const event of engine.generate(job, signal))
      if (event.type === 'delta') count += event.delta.tokens.length
    if (count !== tokens) throw new Error(`the engine gave ${count} tokens instead of ${tokens}`)
  }
  return {
    name: 'contract',
    engine,
    run: async (prompts, tokens, signal) => {
      await Promise.all(prompts.map((prompt) => answer(prompt, tokens, signal)))
    },
    close: () => engine.close()
  }
}
