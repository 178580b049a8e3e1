import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'

import { readGgufFileInfo } from 'node-llama-cpp'
import { describe, expect, test } from 'vitest'

import { crumb } from '../../node/models/crumb.ts'

/** Size limit of a model file in the repository. */
const MAX_BYTES = 6_000_000

/** llama.cpp's numbers for the file types. */
const FILE_TYPES = { Q8_0: 7, Q4_0: 2 }

describe.each([crumb.Q8_0, crumb.Q4_0])('$fileName', (model) => {
  test('is the file that crumb.json describes', async () => {
    const data = await readFile(model.path)
    expect(data.length).toBe(model.bytes)
    expect(data.length).toBeLessThan(MAX_BYTES)
    expect(createHash('sha256').update(data).digest('hex')).toBe(model.sha256)
  })

  test('has the metadata of a published model', async () => {
    const { metadata } = await readGgufFileInfo(model.path, { readTensorInfo: false })
    expect(metadata.general).toMatchObject({
      architecture: 'llama',
      name: 'crumb',
      author: 'The Potluck project',
      license: 'apache-2.0',
      file_type: FILE_TYPES[model.quantization]
    })
    expect(metadata.llama?.context_length).toBeGreaterThanOrEqual(1024)
  })

  test('has a chat template, an end of turn, and control tokens that text cannot contain', async () => {
    const { metadata } = await readGgufFileInfo(model.path, { readTensorInfo: false })
    const { tokens, token_type: types, ...tokenizer } = metadata.tokenizer.ggml
    const end = tokens.indexOf('<|im_end|>')
    expect(tokenizer.eos_token_id).toBe(end)
    expect(tokenizer.eot_token_id).toBe(end)
    expect(tokenizer.bos_token_id).toBe(tokens.indexOf('<|begin|>'))
    const control = 3
    expect(types?.[end]).toBe(control)
    expect(metadata.tokenizer.chat_template).toContain('<|im_end|>')
  })

  test('has every matrix in its quantization format', async () => {
    const { fullTensorInfo } = await readGgufFileInfo(model.path)
    const ggmlTypes = { Q8_0: 8, Q4_0: 2 }
    const matrices = fullTensorInfo?.filter((tensor) => tensor.dimensions.length === 2) ?? []
    expect(matrices.length).toBeGreaterThan(0)
    for (const matrix of matrices) expect(matrix.ggmlType).toBe(ggmlTypes[model.quantization])
  })
})
