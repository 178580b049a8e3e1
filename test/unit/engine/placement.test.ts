import { expect, test } from 'vitest'

import { kernelsOf, placementOf } from '../../../node/engine/llama/placement.ts'

const vulkan = { gpu: 'vulkan', devices: ['GPU X'], gpuLayers: 29, layers: 29, vramBytes: 8e9 }

test('a model on a GPU names the device, its memory and the layers on it', () => {
  expect(placementOf(vulkan)).toEqual({
    accelerator: 'vulkan',
    device: 'GPU X',
    vramBytes: 8e9,
    gpuLayers: 29,
    layers: 29
  })
  expect(placementOf({ ...vulkan, gpuLayers: 12 })).toMatchObject({ gpuLayers: 12, layers: 29 })
})

test('drivers without a device are not an accelerator: the processor computes', () => {
  expect(placementOf({ ...vulkan, devices: [], vramBytes: 0 })).toEqual({ accelerator: 'cpu' })
})

test('a GPU that holds no layer does not compute the model', () => {
  expect(placementOf({ ...vulkan, gpuLayers: 0 })).toEqual({ accelerator: 'cpu' })
})

test.each([
  ['CPU : SSE3 = 1 | AVX = 1 | AVX2 = 1 | LLAMAFILE = 1 | ', 'sse3+avx+avx2+llamafile'],
  ['CPU : NEON = 1 | ARM_FMA = 1 | SVE = 1 | SVE_CNT = 16 | ', 'neon+arm_fma+sve+sve_cnt16'],
  ['CPU : AVX = 0 | AVX2 = 1 | Metal : EMBED_LIBRARY = 1 | ', 'avx2'],
  ['', 'plain']
])('the kernels in %s are %s', (systemInfo, kernels) => {
  expect(kernelsOf(systemInfo)).toBe(kernels)
})
