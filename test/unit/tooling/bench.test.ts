import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const MAIN = fileURLToPath(new URL('../../bench/main.ts', import.meta.url))

test('without a name, the program lists the benchmarks', () => {
  const { status, stdout } = spawnSync(process.execPath, [MAIN])
  expect(status).toBe(0)
  for (const name of ['throughput', 'overhead', 'discovery'])
    expect(stdout.toString()).toMatch(new RegExp(`^  ${name}`, 'm'))
})

test('an unknown name gives an error and the list', () => {
  const { status, stderr } = spawnSync(process.execPath, [MAIN, 'nonsense', '--json'])
  expect(status).toBe(2)
  expect(stderr.toString()).toMatch(/^There is no benchmark "nonsense"\.\n\nUsage: /)
})
