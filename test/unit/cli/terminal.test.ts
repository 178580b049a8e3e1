import { expect, test } from 'vitest'

import { withoutControls } from '../../../node/cli/terminal/output.ts'
import { bytes, duration, parameters, rate } from '../../../node/cli/terminal/units.ts'
import { CATALOGUE, fitting } from '../../../node/models/catalogue.ts'

test('control characters of an answer do not reach the terminal', () => {
  expect(withoutControls('a\u001b[2Jb\u0007c\u009bd\r\n\te é 🦊')).toBe('a[2Jbcd\n\te é 🦊')
})

test('numbers are rounded and have units', () => {
  expect([0.42, 230.4, 61_400, 730_000, 18_000_000, 270_000_000].map(duration)).toEqual([
    '0.4 ms',
    '230 ms',
    '61.4 s',
    '12 min',
    '5.0 h',
    '3.1 days'
  ])
  expect([bytes(0), bytes(999), bytes(5_200_000), bytes(639_000_000), bytes(25.3e9)]).toEqual([
    '0 B',
    '999 B',
    '5.2 MB',
    '639 MB',
    '25.3 GB'
  ])
  expect([parameters(4_700_000), parameters(1.7e9), parameters(260_000)]).toEqual(['4.7 M', '1.7 B', '260 K'])
  expect([rate(0), rate(3.25), rate(1045)]).toEqual(['-', '3.3 tok/s', '1045 tok/s'])
})

test('only models that fit are offered, the largest first', () => {
  expect(fitting(0)).toEqual([])
  const [first, ...others] = fitting(4e9)
  expect(first?.approximateBytes).toBeLessThan(4e9)
  for (const { approximateBytes } of others) expect(approximateBytes).toBeLessThanOrEqual(first?.approximateBytes ?? 0)
  expect(fitting(1e12)).toHaveLength(CATALOGUE.length)
})
