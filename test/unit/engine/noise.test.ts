/** How an auditor measures the noise of its model. */
import type { PositionScores, ScoreJob } from '../../../node/engine/interface.ts'
import type { LoadedModel } from '../../../node/engine/llama/load.ts'
import { measureNoise } from '../../../node/engine/llama/noise.ts'
import { expect, test } from 'vitest'

type Engine = Parameters<typeof measureNoise>[1]

const END = 2
const { signal } = new AbortController()

/** An engine whose model ends every answer after three tokens, if it may. Its logits are off by this much. */
function engineOf(off: number, scored: ScoreJob[] = []): Engine {
  return {
    tokenize: () => Uint32Array.of(1),
    generate: async ({ sampling, maxTokens }, _credit, emit) => {
      const tokens = sampling.logitBias.has(END) ? maxTokens : 3
      const delta = { tokens: Array.from({ length: tokens }, () => 5), text: '' }
      emit({ type: 'delta', delta, fingerprints: new Uint8Array() } as never)
    },
    score: async (job) => {
      scored.push(job)
      const logits = Float32Array.from({ length: 64 }, (_, place) => (place === 0 ? 10 + off : 8 - place / 10))
      return job.answerTokens.map((): PositionScores => ({ tokens: new Uint32Array(64), logits }))
    }
  }
}

function loaded(createContext: () => Promise<unknown>): LoadedModel {
  const vocabulary = { size: 10, isEnd: (token: number) => token === END }
  return { vocabulary, context: { model: { createContext }, currentThreads: 1 } } as never
}

test('the texts are long enough for windows, whatever the model would answer', async () => {
  const scored: ScoreJob[] = []
  const model = loaded(async () => await Promise.resolve({ dispose: async () => await Promise.resolve() }))
  const noise = await measureNoise(model, engineOf(0, scored), () => engineOf(0.2), signal)
  expect(scored.map(({ answerTokens }) => answerTokens.length)).toEqual([64, 64, 64, 64])
  expect(noise).toBeCloseTo(0.2, 1)
})

test('without memory for another context, the noise is unknown, not 0', async () => {
  const model = loaded(async () => await Promise.reject(new Error('Failed to create context')))
  expect(await measureNoise(model, engineOf(0), () => engineOf(0), signal)).toBeUndefined()
})
