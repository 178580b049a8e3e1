/** Generates answers in bulk, as a node would send them for many requests. */
import { DEFAULT_SAMPLING, type SamplingParameters } from '@potluck/protocol'
import { adversarial, type Asked } from './adversarial.ts'
import type { CalibrationEngine, Generated } from './engine.ts'
import { writePrompt } from './prompts.ts'
import { createRandom } from './random.ts'

/** Limit of an answer. crumb's stories are shorter, and crumb's context has room for two turns of this length. */
const MAX_TOKENS = 300

/** A pool of answers to generate. */
export interface PoolSpec {
  /** The pool has at least this many answer tokens. */
  tokens: number
  seed: number
  /**
   * `every` varies the parameters from answer to answer, so that the answers use every step of the contract.
   * `adversarial` varies those with which a caller could make honest machines differ, see `adversarial.ts`.
   */
  sampling: 'every' | 'adversarial' | Partial<SamplingParameters>
  /** Evaluate only the second half of each prompt, up to where the answer begins. Default false. */
  halfPrompt?: boolean
  /** Only answers to the first turn of a chat, or only those to the second turn. Default: both. */
  turn?: 'first' | 'second'
}

/** Varies temperature, filters and penalties by index. */
function everySampling(index: number): Partial<SamplingParameters> {
  return {
    temperature: [0, 0.7, 1][index % 3]!,
    ...(index % 5 === 0 ? { topK: 0, topP: 1, minP: 0 } : {}),
    ...(index % 7 === 0 ? { presencePenalty: 0.2, frequencyPenalty: 0.3 } : {})
  }
}

/** Generates one pool. Uses all slots of the engine, so that answers share batches as on a busy node. */
export async function generatePool(
  engine: CalibrationEngine,
  spec: PoolSpec,
  signal: AbortSignal
): Promise<Generated[]> {
  if (spec.turn === 'second' && !engine.canChat) return []
  const random = createRandom(spec.seed)
  const made: Generated[] = []
  let asked = 0
  let tokens = 0
  const ask = async (promptTokens: readonly number[]): Promise<Generated> => {
    const index = asked++
    const seed = (BigInt(spec.seed) << 32n) + BigInt(index)
    const { constraint, ...parameters }: Asked =
      spec.sampling === 'adversarial'
        ? adversarial(index, engine, random)
        : { ...(spec.sampling === 'every' ? everySampling(index) : spec.sampling) }
    const sampling = { ...DEFAULT_SAMPLING, ...parameters, seed }
    const evaluated = spec.halfPrompt === true ? secondHalf(promptTokens) : promptTokens
    const generated = await engine.generate(evaluated, sampling, MAX_TOKENS, signal, constraint)
    const answer = { promptTokens, ...generated, sampling, ...(constraint === undefined ? {} : { constraint }) }
    return answer
  }
  const keep = (answer: Generated): void => {
    tokens += answer.answerTokens.length
    made.push(answer)
  }
  const converse = async (): Promise<void> => {
    while (tokens < spec.tokens) {
      const first = await ask(engine.tokenize(writePrompt(random, engine.canChat)))
      if (spec.turn !== 'second') keep(first)
      // About half of the chats have a second turn. The engine has the first turn in its cache.
      if (spec.turn === 'second' || (spec.turn === undefined && engine.canChat && asked % 2 === 0)) {
        const second = engine.tokenize(writePrompt(random, engine.canChat))
        keep(await ask([...first.promptTokens, ...first.answerTokens, ...second]))
      }
    }
  }
  await Promise.all(Array.from({ length: engine.slots }, converse))
  return made
}

/** The second half of the prompt, after the token that begins every text. */
function secondHalf(promptTokens: readonly number[]): number[] {
  return [promptTokens[0]!, ...promptTokens.slice(Math.ceil(promptTokens.length / 2))]
}
