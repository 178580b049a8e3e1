/** Answers in bulk: what a node would have sent for many requests. */
import { DEFAULT_SAMPLING, type SamplingParameters } from '@potluck/protocol'
import type { Generated, LabEngine } from './engine.ts'
import { createRandom, writePrompt } from './prompts.ts'

/** Longest answer; crumb's stories are shorter, and with the follow-up they fit its context twice over. */
const MAX_TOKENS = 300

export interface Wanted {
  /** At least so many tokens in all. */
  tokens: number
  seed: number
  /** `every`: each step of the contract takes part. */
  sampling: 'every' | Partial<SamplingParameters>
  /** The engine is given the prompt's second half, so that the answer still begins as one. Default false. */
  halfPrompt?: boolean
}

/** Temperatures, filters on and off, penalties. */
function everySampling(index: number): Partial<SamplingParameters> {
  return {
    temperature: [0, 0.7, 1][index % 3]!,
    ...(index % 5 === 0 ? { topK: 0, topP: 1, minP: 0 } : {}),
    ...(index % 7 === 0 ? { presencePenalty: 0.2, frequencyPenalty: 0.3 } : {})
  }
}

/** Fills all slots of the engine, so that answers share batches as they do on a busy node. */
export async function answers(engine: LabEngine, wanted: Wanted, signal: AbortSignal): Promise<Generated[]> {
  const random = createRandom(wanted.seed)
  const made: Generated[] = []
  let asked = 0
  let tokens = 0
  const ask = async (promptTokens: readonly number[]): Promise<Generated> => {
    const index = asked++
    const seed = (BigInt(wanted.seed) << 32n) + BigInt(index)
    const sampling = {
      ...DEFAULT_SAMPLING,
      ...(wanted.sampling === 'every' ? everySampling(index) : wanted.sampling),
      seed
    }
    const evaluated = wanted.halfPrompt === true ? secondHalf(promptTokens) : promptTokens
    const answerTokens = await engine.generate(evaluated, sampling, MAX_TOKENS, signal)
    const answer = { promptTokens, answerTokens, sampling }
    tokens += answerTokens.length
    made.push(answer)
    return answer
  }
  const converse = async (): Promise<void> => {
    while (tokens < wanted.tokens) {
      const first = await ask(engine.tokenize(writePrompt(random)))
      // Every other chat has a second turn, whose beginning is in the cache.
      if (asked % 2 === 0)
        await ask([...first.promptTokens, ...first.answerTokens, ...engine.tokenize(writePrompt(random))])
    }
  }
  await Promise.all(Array.from({ length: engine.slots }, converse))
  return made
}

/** After the token that begins every text. */
function secondHalf(promptTokens: readonly number[]): number[] {
  return [promptTokens[0]!, ...promptTokens.slice(Math.ceil(promptTokens.length / 2))]
}
