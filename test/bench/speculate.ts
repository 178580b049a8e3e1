/**
 * Tokens per second with and without drafts (`node/engine/speculation`), for a story, a text that repeats itself, and a
 * table in JSON. Two engines take turns at each answer. The benchmark fails if their answers differ in a single token.
 *
 * A model with random weights (`--model 0.5b`) repeats a prompt that repeats itself, and writes no sensible table.
 * `wide-crumb` chooses its tokens as a trained model does, but has not learnt to copy.
 */
import { parseArgs } from 'node:util'
import { DEFAULT_SAMPLING, type ChatInput, type OutputConstraint } from '@potluck/protocol'
import type { Engine, EngineEvent, GenerateJob } from '../../node/engine/index.ts'
import { startBenchEngine } from './engine.ts'
import { endTokens, resolveModel } from './model.ts'
import { median, type BenchContext } from './report.ts'
import { WORDS } from './throughput/prompts.ts'

const ANSWER_TOKENS = 128

interface Task {
  name: string
  /** Different for each index, so that no engine has it in its cache. */
  job: (
    index: number,
    engine: Engine
  ) => Promise<Pick<GenerateJob, 'promptTokens' | 'constraint'> & { temperature: number }>
}

const KEYS = ['animal', 'colour of its coat', 'country', 'what it likes to eat']
const TABLE: OutputConstraint = {
  chat: true,
  responseFormat: {
    type: 'json_schema',
    schema: {
      type: 'array',
      items: {
        type: 'object',
        properties: Object.fromEntries(KEYS.map((key) => [key, { enum: ['fox', 'bear', 'red', 'France', 'bread'] }])),
        required: KEYS,
        additionalProperties: false
      },
      minItems: 8,
      maxItems: 8
    }
  }
}

const TASKS: readonly Task[] = [
  {
    name: 'story',
    job: async (index, engine) => ({
      promptTokens: await tokens(engine, `Tell me a story about ${sentence(index, 3)}.`),
      temperature: 0.8
    })
  },
  {
    name: 'repeat',
    job: async (index, engine) => {
      const text = sentence(index, 24)
      return { promptTokens: await engine.tokenize({ prompt: `${text}\n${text}\n${text}\n` }), temperature: 0 }
    }
  },
  {
    name: 'json',
    job: async (index, engine) => ({
      promptTokens: await tokens(engine, `Make a table of ${sentence(index, 3)}.`),
      constraint: TABLE,
      temperature: 0.8
    })
  }
]

export async function run({ args, signal, report, note }: BenchContext): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      model: { type: 'string', default: 'wide-crumb' },
      threads: { type: 'string', default: '1' },
      rounds: { type: 'string', default: '9' }
    }
  })
  const modelPath = await resolveModel(values.model)
  const common = { modelPath, contextLength: 1024, threads: Number(values.threads), signal }
  const engines = {
    with: await startBenchEngine(common),
    without: await startBenchEngine({ ...common, speculate: false })
  }
  try {
    const ends = await endTokens(modelPath)
    for (const task of TASKS) {
      const rates = { with: [] as number[], without: [] as number[] }
      const rounds = Number(values.rounds)
      for (let round = 0; round <= rounds; round++) {
        note(`${task.name}: ${round === 0 ? 'warming up' : `round ${round} of ${rounds}`}.`)
        const order = round % 2 === 0 ? (['with', 'without'] as const) : (['without', 'with'] as const)
        const answers = new Map<string, string>()
        for (const side of order) {
          const { temperature, ...job } = await task.job(round, engines[side])
          const { ids, tokensPerSecond } = await answer(
            engines[side],
            { ...job, temperature, seed: BigInt(round), ends },
            signal
          )
          answers.set(side, ids.join())
          if (round > 0) rates[side].push(tokensPerSecond)
        }
        if (answers.get('with') !== answers.get('without'))
          throw new Error(`A draft changed the answer of task ${task.name}, round ${round}.`)
      }
      for (const side of ['without', 'with'] as const) {
        report({
          case: `${task.name} ${side}`,
          metric: 'tokens_per_second',
          value: median(rates[side]),
          unit: 'tokens/s',
          n: rounds
        })
      }
      report({
        case: task.name,
        metric: 'with / without',
        value: median(rates.with.map((rate, index) => rate / rates.without[index]!)),
        unit: 'ratio',
        n: rounds
      })
    }
  } finally {
    await Promise.all(Object.values(engines).map((engine) => engine.close()))
  }
}

async function answer(
  engine: Engine,
  {
    promptTokens,
    constraint,
    temperature,
    seed,
    ends
  }: Pick<GenerateJob, 'promptTokens' | 'constraint'> & { temperature: number; seed: bigint; ends: readonly number[] },
  signal: AbortSignal
): Promise<{ ids: number[]; tokensPerSecond: number }> {
  // Without a constraint, every answer has the same length.
  const logitBias = new Map(constraint === undefined ? ends.map((token) => [token, -100] as const) : [])
  const job: GenerateJob = {
    promptTokens,
    answerTokens: [],
    sampling: { ...DEFAULT_SAMPLING, temperature, seed, logitBias },
    maxTokens: ANSWER_TOKENS,
    stop: [],
    credit: ANSWER_TOKENS,
    ...(constraint === undefined ? {} : { constraint })
  }
  const ids: number[] = []
  let end: Extract<EngineEvent, { type: 'done' }> | undefined
  for await (const event of engine.generate(job, signal)) {
    if (event.type === 'delta') ids.push(...event.delta.tokens)
    if (event.type === 'done') end = event
  }
  return { ids, tokensPerSecond: (1000 * ids.length) / end!.decodeMs }
}

async function tokens(engine: Engine, content: string): Promise<number[]> {
  const chat: ChatInput = { messages: [{ role: 'user', content }] }
  return await engine.tokenize(chat)
}

function sentence(index: number, words: number): string {
  return Array.from({ length: words }, (_, word) => WORDS[(index * 7 + word * (index + 2)) % WORDS.length]).join(' ')
}
