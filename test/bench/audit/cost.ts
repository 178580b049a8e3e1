/** What an audit costs: against a plain prefill of the same tokens, and against generating them. */
import { DEFAULT_SAMPLING, measureAnswer } from '@potluck/protocol'
import { LabEngine } from '../../../scripts/calibrate/engine.ts'
import { createRandom } from '../../../scripts/calibrate/prompts.ts'
import { median } from '../report.ts'

/** Milliseconds. */
export interface Cost {
  audit: number
  prefill: number
  generation: number
  rounds: number
}

const PROMPT_TOKENS = 64
const SAMPLING = { ...DEFAULT_SAMPLING, seed: 1n, temperature: 1 }

interface Document {
  promptTokens: number[]
  answerTokens: number[]
}

/**
 * Medians over rounds that do all three in turn, each on tokens that are not in the cache.
 *
 * @param vocabulary token ids that the model has
 */
export async function measureCost(
  modelPath: string,
  { vocabulary, answerTokens, rounds }: { vocabulary: number; answerTokens: number; rounds: number },
  signal: AbortSignal
): Promise<Cost> {
  const engine = await LabEngine.start(modelPath)
  const random = createRandom(3)
  const fresh = (): Document => {
    const tokens = Array.from({ length: PROMPT_TOKENS + answerTokens }, () => 300 + (random() % (vocabulary - 300)))
    return { promptTokens: tokens.slice(0, PROMPT_TOKENS), answerTokens: tokens.slice(PROMPT_TOKENS) }
  }
  // Whatever ends an answer must not come.
  const endless = { ...SAMPLING, logitBias: new Map([0, 1, 2, 3].map((token) => [token, -100])) }
  const audit = async ({ promptTokens, answerTokens: claimed }: Document): Promise<void> => {
    measureAnswer(await engine.score({ promptTokens, answerTokens: claimed }, signal), SAMPLING, claimed)
  }
  const prefill = async (document: Document): Promise<void> => {
    await engine.generate([...document.promptTokens, ...document.answerTokens], SAMPLING, 1, signal)
  }
  const generation = async ({ promptTokens }: Document): Promise<void> => {
    await engine.generate(promptTokens, endless, answerTokens, signal)
  }
  const time = async (work: (document: Document) => Promise<void>): Promise<number> => {
    const document = fresh()
    const began = performance.now()
    await work(document)
    return performance.now() - began
  }
  const times = { audit: [] as number[], prefill: [] as number[], generation: [] as number[] }
  for (let round = -1; round < rounds; round++) {
    const taken = { audit: await time(audit), prefill: await time(prefill), generation: await time(generation) }
    // The first round learns how long a slice of a prompt may be.
    if (round < 0) continue
    times.audit.push(taken.audit)
    times.prefill.push(taken.prefill)
    times.generation.push(taken.generation)
  }
  await engine.close()
  return {
    audit: median(times.audit),
    prefill: median(times.prefill),
    generation: median(times.generation),
    rounds
  }
}
