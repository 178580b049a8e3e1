/** `contract`: our engine in its own process, with the sampling contract. */
import { DEFAULT_SAMPLING } from '@potluck/protocol'
import type { Engine } from '../../../node/engine/index.ts'
import { startBenchEngine } from '../engine.ts'
import type { BenchModel, Prompt, Target } from './target.ts'

export interface ContractTarget extends Target {
  engine: Engine
}

/** @param endTokens tokens that end an answer. A bias forbids them, so that every answer has the same length. */
export async function startContract(model: BenchModel, endTokens: readonly number[]): Promise<ContractTarget> {
  const { path, slots, contextLength, threads } = model
  const engine = await startBenchEngine({ modelPath: path, slots, contextLength, threads })
  const logitBias = new Map(endTokens.map((token) => [token, -100]))
  let runs = 0n
  const answer = async (prompt: Prompt, tokens: number, signal: AbortSignal): Promise<void> => {
    const job = {
      promptTokens: prompt.tokens,
      answerTokens: [],
      sampling: { ...DEFAULT_SAMPLING, seed: ++runs, logitBias },
      maxTokens: tokens,
      stop: [],
      credit: tokens
    }
    let count = 0
    for await (const event of engine.generate(job, signal))
      if (event.type === 'delta') count += event.delta.tokens.length
    if (count !== tokens) throw new Error(`The engine gave ${count} tokens instead of ${tokens}.`)
  }
  return {
    name: 'contract',
    pid: engine.pid,
    engine,
    run: async (prompts, tokens, signal) => {
      await Promise.all(prompts.map((prompt) => answer(prompt, tokens, signal)))
    },
    close: () => engine.close()
  }
}
