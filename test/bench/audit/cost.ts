/** The cost of an audit, compared with a plain prefill of the same tokens and with generating them. */
import { DEFAULT_SAMPLING, measureAnswer } from '@potluck/protocol'
import { CalibrationEngine } from '../../../scripts/calibrate/engine.ts'
import { createRandom } from '../../../scripts/calibrate/random.ts'
import { crumb } from '../../../node/models/crumb.ts'
import { HALF_BILLION, randomModel } from '../model.ts'
import { median, type BenchContext } from '../report.ts'

/** Milliseconds. */
interface Cost {
  audit: number
  prefill: number
  generation: number
}

const PROMPT_TOKENS = 64
const ANSWER_TOKENS = 256
/** The ids of word tokens in crumb's tokenizer, which the random model uses too. */
const WORDS = { first: 300, count: 3796 }
const SAMPLING = { ...DEFAULT_SAMPLING, seed: 1n, temperature: 1 }

interface Document {
  promptTokens: number[]
  answerTokens: number[]
}

export async function reportCosts({ report, note, signal }: BenchContext): Promise<void> {
  const half = await randomModel(HALF_BILLION, crumb.Q8_0.path)
  const models = [
    { name: 'crumb', path: crumb.Q8_0.path, rounds: 15 },
    { name: '0.5B, random weights', path: half, rounds: 5 }
  ]
  for (const { name, path, rounds } of models) {
    const { audit, prefill, generation } = await measureCost(path, rounds, signal)
    const row = { case: name, unit: '', n: rounds }
    report({ ...row, metric: 'audit_over_prefill', value: audit / prefill })
    report({ ...row, metric: 'audit_over_generation', value: audit / generation })
    report({ ...row, metric: 'audit', value: audit, unit: 'ms' })
    note(`cost: ${name}`)
  }
}

/** Returns medians over rounds. A round measures an audit, a prefill and a generation, each with uncached tokens. */
async function measureCost(modelPath: string, rounds: number, signal: AbortSignal): Promise<Cost> {
  const engine = await CalibrationEngine.start({ modelPath })
  const random = createRandom(3)
  const fresh = (): Document => {
    const length = PROMPT_TOKENS + ANSWER_TOKENS
    const tokens = Array.from({ length }, () => WORDS.first + (random() % WORDS.count))
    return { promptTokens: tokens.slice(0, PROMPT_TOKENS), answerTokens: tokens.slice(PROMPT_TOKENS) }
  }
  // Forbids the special tokens, because some of them would end the answer.
  const endless = { ...SAMPLING, logitBias: new Map([0, 1, 2, 3].map((token) => [token, -100])) }
  const audit = async ({ promptTokens, answerTokens }: Document): Promise<void> => {
    measureAnswer(await engine.score({ promptTokens, answerTokens }, signal), SAMPLING, answerTokens)
  }
  const prefill = async (document: Document): Promise<void> => {
    await engine.generate([...document.promptTokens, ...document.answerTokens], SAMPLING, 1, signal)
  }
  const generation = async ({ promptTokens }: Document): Promise<void> => {
    await engine.generate(promptTokens, endless, ANSWER_TOKENS, signal)
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
    // The first round does not count: the engine learns in it how many tokens it may evaluate at once.
    if (round < 0) continue
    times.audit.push(taken.audit)
    times.prefill.push(taken.prefill)
    times.generation.push(taken.generation)
  }
  await engine.close()
  return { audit: median(times.audit), prefill: median(times.prefill), generation: median(times.generation) }
}
