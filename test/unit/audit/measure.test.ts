import { DEFAULT_SAMPLING, measureAnswer, measureInSlices, type TokenCandidates } from '@potluck/protocol'
import { expect, test } from 'vitest'

const scores: TokenCandidates[] = Array.from({ length: 20 }, (_, position) => ({
  tokens: Uint32Array.from({ length: 64 }, (__, place) => place + position),
  logits: Float32Array.from({ length: 64 }, (__, place) => -place / 4)
}))
/** Tokens that no honest machine has among its candidates. */
const answer = scores.map(() => 999)

test('an audit measures the tokens of an answer at temperatures up to 2', async () => {
  const sampling = { ...DEFAULT_SAMPLING, seed: 1n, temperature: 2 }
  const measured = await measureInSlices(scores, sampling, answer)
  expect(measured).toEqual(measureAnswer(scores, sampling, answer))
  expect(measured.every(({ margin }) => margin === Infinity)).toBe(true)
})

test('no token says anything to an audit at a higher temperature', async () => {
  const sampling = { ...DEFAULT_SAMPLING, seed: 1n, temperature: 2.01 }
  const measured = await measureInSlices(scores, sampling, answer)
  expect(measured).toEqual(answer.map(() => ({ margin: 0, gap: Infinity })))
})
