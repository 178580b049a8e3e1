import { expect, test } from 'vitest'

import { plausibleClaims, plausibleParameters } from '../../../client/select/plausible.ts'
import { model } from './help.ts'

const GB = 1e9
const ABSURD = { prefillTokensPerSecond: 1e7, decodeTokensPerSecond: 1e7 }

test.each([
  // [accelerator, size, measured rates of real machines: prefill, decode]
  ['cpu', 4 * GB, 8e9, 120, 20],
  ['metal', 40 * GB, 70e9, 60, 9],
  ['cuda', 16 * GB, 8e9, 12_000, 150],
  ['cuda', 63 * GB, 117e9, 9_000, 250],
  ['cpu', 4e6, 3.8e6, 20_000, 1_500]
])(
  '%s with a file of %d bytes: honest rates are not changed',
  (accelerator, sizeBytes, parameters, prefill, decode) => {
    const rates = { prefillTokensPerSecond: prefill, decodeTokensPerSecond: decode }
    expect(plausibleClaims({ accelerator }, model({ sizeBytes, parameters, ...rates }))).toEqual(rates)
  }
)

test('absurd rates become those of the fastest machine of the class', () => {
  const large = model({ sizeBytes: 400 * GB, parameters: 671e9, ...ABSURD })
  expect(plausibleClaims({ accelerator: 'cpu' }, large).decodeTokensPerSecond).toBeCloseTo(96)
  expect(plausibleClaims({ accelerator: 'cuda' }, large).decodeTokensPerSecond).toBeCloseTo(640)
  expect(plausibleClaims({ accelerator: 'magic' }, large)).toEqual(plausibleClaims({ accelerator: 'cpu' }, large))
  expect(plausibleClaims({ accelerator: 'cuda' }, model({ sizeBytes: 0, parameters: 0, ...ABSURD }))).toEqual({
    prefillTokensPerSecond: 512 * 5_000,
    decodeTokensPerSecond: 5_000
  })
})

test('a rate of 0 stays: it was not measured', () => {
  const rates = { prefillTokensPerSecond: 0, decodeTokensPerSecond: 0 }
  expect(plausibleClaims({ accelerator: 'cpu' }, model(rates))).toEqual(rates)
})

test('a file of a certain size holds a bounded number of parameters, and the size of a file is bounded', () => {
  expect(plausibleParameters({ parameters: 8e9, sizeBytes: 4.7 * GB })).toBe(8e9)
  expect(plausibleParameters({ parameters: 1e15, sizeBytes: 3 * GB })).toBe(16e9)
  expect(plausibleParameters({ parameters: 1e15, sizeBytes: 1e15 })).toBeLessThan(1.2e13)
})
