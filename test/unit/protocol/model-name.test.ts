import { modelName } from '@potluck/protocol'
import { expect, test } from 'vitest'

test.each([
  ['crumb', 'potluck/crumb:Q8_0'],
  ['potluck/crumb:Q8_0', 'potluck/crumb:Q8_0'],
  ['Qwen/Qwen3-0.6B-GGUF:Q8_0', 'Qwen/Qwen3-0.6B-GGUF:Q8_0'],
  ['hf:Qwen/Qwen3-0.6B-GGUF:Q8_0', 'Qwen/Qwen3-0.6B-GGUF:Q8_0'],
  ['huggingface:user/repo', 'user/repo'],
  ['hf:user/repo/deep/Tiny-Q4_0.gguf#dev', 'user/repo:Tiny-Q4_0'],
  ['toString', 'toString']
])('%s is the model %s', (given, name) => {
  expect(modelName(given)).toBe(name)
})
