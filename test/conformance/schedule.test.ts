/**
 * A token's logits have the same bits however the engine comes to it: alone, beside others, from cached tokens, in a
 * continuation and in an audit. With one thread, the engine evaluates prompts in blocks to achieve this
 * (`node/engine/llama/blocks.ts`).
 */
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { DEFAULT_SAMPLING, FINGERPRINT_BYTES, fingerprintsOf } from '@potluck/protocol'
import { startLlamaEngine, type Engine, type GenerateJob, type PositionScores } from '../../node/engine/index.ts'
import { crumb } from '../../node/models/crumb.ts'
import { collect, jobFor } from './collect.ts'

/** crumb ends its answers with this token. */
const END = 2
const WORDS = ['fox', 'bear', 'river', 'red', 'house', 'walked', 'and', 'the', 'a', 'old', 'to', 'saw']

/** A text that differs from those with other seeds from its first word on. */
function sentence(seed: number, words: number): string {
  return Array.from(
    { length: words },
    (_, index) => WORDS[(seed * 5 + index * index * (seed + 3)) % WORDS.length]
  ).join(' ')
}

describe.each([
  ['Q8_0', crumb.Q8_0.path],
  ['Q4_0', crumb.Q4_0.path]
])("one thread's logits of crumb %s", (_, modelPath) => {
  let engine: Engine
  beforeAll(async () => {
    engine = await startLlamaEngine({ modelPath, threads: 1, slots: 4, gpu: false, logger: pino({ level: 'silent' }) })
  })
  afterAll(async () => await engine.close())

  let callers = 0
  /** Scores an answer without any cached token. */
  const alone = async (promptTokens: readonly number[], answerTokens: readonly number[]): Promise<PositionScores[]> =>
    await engine.score({ promptTokens, answerTokens, caller: `alone ${callers++}` })
  const answerOf = async (changes: Partial<GenerateJob> & Pick<GenerateJob, 'promptTokens'>): Promise<number[]> =>
    (await collect(engine.generate(job(changes)))).tokens
  const job = ({ promptTokens, ...changes }: Partial<GenerateJob> & Pick<GenerateJob, 'promptTokens'>): GenerateJob =>
    jobFor(promptTokens, { maxTokens: 70, sampling: { ...DEFAULT_SAMPLING, seed: 7n }, ...changes })

  it('are computed in blocks', () => {
    expect(engine.backend).toMatchObject({ schedule: 'blocks-64', kvType: 'f16/f16', flashAttention: true })
  })

  it.each([20, 100, 330])('are the same beside prompts and answers of others (%i words)', async (words) => {
    const prompt = await engine.tokenize({ prompt: sentence(1, words) })
    const answer = await answerOf({ promptTokens: prompt })
    const expected = await alone(prompt, answer)
    const others = [40, 90, 300].map(async (length, index) => {
      const promptTokens = await engine.tokenize({ prompt: sentence(2 + index, length) })
      return await answerOf({ promptTokens, caller: `other ${index}` })
    })
    expect(await alone(prompt, answer)).toEqual(expected)
    await Promise.all(others)
  })

  it.each([30, 64, 100, 150, 191, 192])('are the same after %i cached tokens', async (cached) => {
    const prompt = (await engine.tokenize({ prompt: sentence(11, 300) })).slice(0, 250)
    const answer = prompt.slice(0, 50)
    const expected = await alone(prompt, answer)
    const caller = `cached ${cached}`
    const begins = await collect(engine.generate(job({ promptTokens: prompt.slice(0, cached), maxTokens: 1, caller })))
    expect(begins.cachedTokens).toBe(0)
    expect(await engine.score({ promptTokens: prompt, answerTokens: answer, caller })).toEqual(expected)
  })

  it('are the same in the next turn of a conversation, which evaluates only its new tokens', async () => {
    const user = { role: 'user' as const, content: sentence(21, 90) }
    const prompt = await engine.tokenize({ messages: [user] })
    const caller = 'conversation'
    const text = await collect(engine.generate(job({ promptTokens: prompt, caller, constraint: { chat: true } })))
    const next = await engine.tokenize({
      messages: [user, { role: 'assistant', content: text.text }, { role: 'user', content: sentence(22, 100) }]
    })
    const common = next.findIndex((token, index) => token !== [...prompt, ...text.tokens][index])
    expect(common).toBeGreaterThan(prompt.length)
    const turn = await collect(engine.generate(job({ promptTokens: next, caller, maxTokens: 1 })))
    // The last token of an answer is sampled, and not evaluated. At most 3 more are evaluated again to fill a kernel's
    // rows.
    expect(turn.cachedTokens).toBeGreaterThanOrEqual(common - 4)
    const answer = next.slice(0, 20)
    const expected = await alone(next, answer)
    expect(await engine.score({ promptTokens: next, answerTokens: answer, caller })).toEqual(expected)
  })

  it('give a continued answer the same tokens, and an audit the same fingerprints', async () => {
    const prompt = await engine.tokenize({ messages: [{ role: 'user', content: sentence(31, 120) }] })
    const endless = { ...DEFAULT_SAMPLING, seed: 3n, logitBias: new Map([[END, -1000]]) }
    const changes = { promptTokens: prompt, sampling: endless }
    const whole = await collect(engine.generate(job({ ...changes, caller: 'first' })))
    const half = whole.tokens.slice(0, 23)
    const rest = await collect(engine.generate(job({ ...changes, answerTokens: half, caller: 'second' })))
    expect([...half, ...rest.tokens]).toEqual(whole.tokens)
    expect(rest.fingerprints).toEqual(whole.fingerprints.slice(half.length * FINGERPRINT_BYTES))
    expect([...fingerprintsOf(await alone(prompt, whole.tokens))]).toEqual(whole.fingerprints)
  })
})

it('with two threads, the engine uses a cache that needs no blocks, and the logits are the same too', async () => {
  const options = { modelPath: crumb.Q8_0.path, gpu: false as const, logger: pino({ level: 'silent' }) }
  const engine = await startLlamaEngine({ ...options, threads: 2, slots: 1 })
  onTestFinished(async () => await engine.close())
  expect(engine.backend.schedule).toBe('any')
  expect(engine.backend.kvType).not.toBe('f16/f16')
  const promptTokens = (await engine.tokenize({ prompt: sentence(41, 200) })).slice(0, 150)
  const job = { promptTokens, answerTokens: promptTokens.slice(0, 20) }
  const expected = await engine.score({ ...job, caller: 'alone' })
  await collect(engine.generate(jobFor(promptTokens.slice(0, 70), { maxTokens: 1, caller: 'cached' })))
  expect(await engine.score({ ...job, caller: 'cached' })).toEqual(expected)
})
