/** Tests `npm run testnet -- --kill`: another node completes the answer of a killed node. */
import { afterEach, expect, test } from 'vitest'

import { Run } from './run.ts'

let run: Run | undefined

afterEach(({ task }) => {
  if (task.result?.state === 'fail') process.stderr.write(`${run?.output}\n`)
  run?.cleanUp()
})

test('another node continues the answer of a killed node, with the same result', { timeout: 180_000 }, async () => {
  run = new Run('--kill', '--nodes', '2', '--json')
  expect(await run.exit, run.output).toEqual([0, null])
  const [killed] = run.of('killed')
  const [continued] = run.of('continued')
  expect(killed).toMatchObject({ signal: 'SIGKILL' })
  expect(continued?.node).not.toBe(killed?.node)
  expect(run.of('summary')).toEqual([
    expect.objectContaining({
      killed: killed?.node,
      same: true,
      gapMs: expect.any(Number),
      // The answer ends where the story ends.
      finishReason: 'stop',
      failures: [expect.objectContaining({ code: 'stream_cut' })]
    })
  ])
  const running = run
  await expect.poll(() => running.processes(), { timeout: 20_000 }).toEqual([])
  expect(run.files()).toEqual([])
})

test('--kill needs a second node', async () => {
  run = new Run('--kill', '--nodes', '1')
  expect(await run.exit).toEqual([2, null])
  expect(run.output).toBe('--nodes takes a number from 2 to 20, not "1".\n')
})
