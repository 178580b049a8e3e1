import { DEFAULT_SAMPLING, PotluckError, type GenerateRequest } from '@potluck/protocol'
import { expect, test } from 'vitest'

import type { EngineModel, EngineStatus } from '../../../node/engine/interface.ts'
import { checkContext, checkRequest } from '../../../node/serve/check.ts'

const model: EngineModel = {
  digest: new Uint8Array(32).fill(7),
  name: 'potluck/test:F32',
  architecture: 'test',
  parameters: 1,
  quantization: 'F32',
  contextLength: 100,
  vocabularySize: 256,
  sizeBytes: 1,
  features: ['completion']
}

const good: GenerateRequest = {
  requestId: new Uint8Array(16),
  modelDigest: model.digest,
  input: { prompt: 'hello' },
  sampling: { ...DEFAULT_SAMPLING, seed: 1n },
  maxTokens: 10,
  stop: [],
  credit: 10,
  commitment: new Uint8Array(32)
}

const ready: EngineStatus = { state: 'ready' }

function codeOf(request: GenerateRequest, status = ready, draining = false, of = model): string {
  try {
    checkRequest(request, { model: of, status, draining })
    return 'fine'
  } catch (error) {
    return error instanceof PotluckError ? error.code : 'thrown'
  }
}

const continued = (promptTokens: number[], answerTokens: number[]): GenerateRequest => {
  return { ...good, continuation: { promptTokens, answerTokens } }
}

const chat = (toolChoice: 'auto' | 'none' = 'auto'): GenerateRequest['input'] => {
  return { messages: [{ role: 'user', content: 'hello' }], tools: [{ name: 'find' }], toolChoice }
}

test.each<[string, string]>([
  ['a good request', codeOf(good)],
  ['draining', codeOf(good, ready, true)],
  ['model_not_found', codeOf({ ...good, modelDigest: new Uint8Array(32) })],
  ['model_not_found', codeOf(good, { state: 'failed', reason: 'it crashes' })],
  ['busy', codeOf(good, { state: 'restarting' })],
  ['unsupported', codeOf({ ...good, input: { messages: [{ role: 'user', content: 'hello' }] } })],
  ['unsupported', codeOf({ ...good, topLogprobs: 0 })],
  ['unsupported', codeOf({ ...good, responseFormat: { type: 'json_object' } })],
  ['unsupported', codeOf({ ...good, input: chat() }, ready, false, { ...model, features: ['chat'] })],
  ['a good request', codeOf({ ...good, input: chat('none') }, ready, false, { ...model, features: ['chat'] })],
  ['invalid_request', codeOf({ ...good, sampling: { ...good.sampling, logitBias: new Map([[256, 1]]) } })],
  ['invalid_request', codeOf(continued([256], []))],
  ['invalid_request', codeOf(continued([1], [1, 300]))],
  ['a good request', codeOf(continued([255], [0]))],
  ['context_length_exceeded', codeOf({ ...good, input: { prompt: 'x'.repeat(100 * 128 + 1) } })]
])('%s', (expected, got) => {
  expect(got).toBe(expected === 'a good request' ? 'fine' : expected)
})

test('the prompt and the longest answer must fit the context', () => {
  checkContext(90, 10, model)
  expect(() => checkContext(91, 10, model)).toThrow('91 tokens of prompt and 10 of answer do not fit a context of 100')
})
