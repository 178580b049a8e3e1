import { execFileSync } from 'node:child_process'

import { expect, test, vi } from 'vitest'

import { endWithin } from '../../../client/network/end-within.ts'

const MODULE = new URL('../../../client/network/end-within.ts', import.meta.url).href

test('a process waits for work that only a timer of AbortSignal.timeout ends', () => {
  // Without `endWithin`, Node ends this process with exit code 13, "unsettled top-level await".
  const script = `
    const { endWithin } = await import(${JSON.stringify(MODULE)})
    const signal = AbortSignal.timeout(50)
    await endWithin(10_000, new Promise((resolve) => signal.addEventListener('abort', resolve)))
    console.log('ended')`
  const stdout = execFileSync(process.execPath, ['--input-type=module', '--eval', script], { encoding: 'utf8' })
  expect(stdout).toBe('ended\n')
})

test('work that never ends is left after the limit', async () => {
  vi.useFakeTimers()
  const ended = endWithin(1_000, new Promise(() => undefined))
  await vi.advanceTimersByTimeAsync(1_000)
  await ended
  vi.useRealTimers()
})

test('a failure of the work is reported', async () => {
  await expect(endWithin(1_000, Promise.reject(new Error('broken')))).rejects.toThrow('broken')
})
