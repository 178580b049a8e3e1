/** Drafts change the speed of an answer, and nothing else. */
import { getLlama, LlamaLogLevel, type Llama, type LlamaModel } from 'node-llama-cpp'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DEFAULT_SAMPLING } from '@potluck/protocol'
import type { PositionLogits } from '../../node/engine/answer/answer.ts'
import { startLlamaEngine, type GenerateJob } from '../../node/engine/index.ts'
import { cacheType } from '../../node/engine/llama/cache.ts'
import { Batching } from '../../node/engine/llama/internals/batching.ts'
import { Samplers } from '../../node/engine/llama/internals/samplers.ts'
import { ContextSequence } from '../../node/engine/llama/sequence.ts'
import { EvaluationCosts } from '../../node/engine/speculation/pace.ts'
import { crumb } from '../../node/models/crumb.ts'
import { collect, jobFor } from './collect.ts'

const wanted = { normaliser: false, allowed: () => undefined }
const TEXT = 'the red fox saw the old bear near the river.'

describe('an evaluation with a draft', () => {
  let llama: Llama
  let model: LlamaModel
  beforeAll(async () => {
    llama = await getLlama({ gpu: false, build: 'never', skipDownload: true, logLevel: LlamaLogLevel.error })
    model = await llama.loadModel({ modelPath: crumb.Q8_0.path })
  })
  afterAll(() => llama.dispose())

  /** Evaluates an answer. `drafts` has, for each position of the answer, the draft to evaluate with the token there. */
  async function evaluate(
    answer: readonly number[],
    drafts: ReadonlyMap<number, readonly number[]>
  ): Promise<PositionLogits[]> {
    const { keys, values, flashAttention } = cacheType(model, { onGpu: false, threads: 1, sizeBytes: 0 })
    const batching = new Batching()
    const context = await model.createContext({
      sequences: 2,
      contextSize: 512,
      threads: 1,
      flashAttention,
      experimentalKvCacheKeyType: keys,
      experimentalKvCacheValueType: values,
      batching: batching.options
    })
    const sequence = new ContextSequence(0, context.getSequence(), {
      batching,
      counters: { prefillTokens: 0, decodeTokens: 0 },
      samplers: new Samplers()
    })
    const prompt = model.tokenize(TEXT)
    await sequence.prefill(prompt, prompt.length, wanted, new AbortController().signal)
    const logits: PositionLogits[] = []
    let ahead: PositionLogits[] = []
    let expected: number[] = []
    for (const [index, token] of answer.entries()) {
      if (ahead.length === 0) {
        const tokens = [...(drafts.get(index) ?? [])]
        const draft = { tokens, allowed: [...tokens, 0].map(() => undefined) }
        ahead = await sequence.next(
          token,
          prompt.length + index,
          { draft: () => draft, costs: new EvaluationCosts() },
          wanted
        )
        expected = tokens
      }
      logits.push(ahead.shift()!)
      if (expected.shift() !== answer[index + 1]) ahead = []
    }
    expect(sequence.cached.slice(0, prompt.length + answer.length)).toEqual([...prompt, ...answer])
    await context.dispose()
    return logits
  }

  it('gives the same logits to the bit, whether the draft is right, wrong from the start or wrong at its end', async () => {
    const answer = model.tokenize(`${TEXT} ${TEXT} ${TEXT}`).slice(0, 40)
    const alone = await evaluate(answer, new Map())
    const right = new Map(
      [0, 4, 12].map((index, place) => [index, answer.slice(index + 1, index + [4, 8, 16][place]!)])
    )
    expect(await evaluate(answer, right)).toEqual(alone)
    const wrong = new Map(answer.map((_, index) => [index, [7, 7, 7]]))
    expect(await evaluate(answer, wrong)).toEqual(alone)
    const halfWrong = new Map(answer.map((_, index) => [index, [...answer.slice(index + 1, index + 4), 7, 7, 7, 7]]))
    expect(await evaluate(answer, halfWrong)).toEqual(alone)
  })
})

describe('answers with drafts', () => {
  it('have the same tokens, fingerprints and text as without', async () => {
    const options = { modelPath: crumb.Q8_0.path, threads: 1, gpu: false as const, logger: pino({ level: 'silent' }) }
    const engines = [await startLlamaEngine(options), await startLlamaEngine({ ...options, speculate: false })]
    try {
      const prompt = await engines[0]!.tokenize({ prompt: `${TEXT}\n${TEXT}\n${TEXT}\n` })
      const chat = await engines[0]!.tokenize({ messages: [{ role: 'user', content: 'Describe a fox.' }] })
      const properties = Object.fromEntries(
        ['colour', 'habitat', 'is_friendly'].map((key) => [key, { type: 'boolean' }])
      )
      const schema = { type: 'object', properties, required: Object.keys(properties), additionalProperties: false }
      const tasks: GenerateJob[] = [1n, 2n, 3n].flatMap((seed) => [
        jobFor(prompt, { maxTokens: 80, credit: 80, sampling: { ...DEFAULT_SAMPLING, temperature: 0, seed } }),
        jobFor(prompt, { maxTokens: 80, credit: 80, sampling: { ...DEFAULT_SAMPLING, temperature: 0.8, seed } }),
        jobFor(chat, {
          maxTokens: 80,
          credit: 80,
          sampling: { ...DEFAULT_SAMPLING, temperature: 0.8, seed },
          constraint: { chat: true, responseFormat: { type: 'json_schema', schema } }
        })
      ])
      for (const task of tasks) {
        const [drafted, plain] = [await collect(engines[0]!.generate(task)), await collect(engines[1]!.generate(task))]
        expect(drafted.tokens).toEqual(plain.tokens)
        expect(drafted.text).toBe(plain.text)
        expect(drafted.fingerprints).toEqual(plain.fingerprints)
      }
    } finally {
      await Promise.all(engines.map((engine) => engine.close()))
    }
  })
})
