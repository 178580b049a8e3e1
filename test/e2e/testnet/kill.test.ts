/** `npm run testnet -- --kill`: what a user is promised of a node's death. */
import { afterEach, expect, test } from 'vitest'

import { Run } from './run.ts'

let run: Run | undefined

afterEach(({ task }) => {
  if (task.result?.state === 'fail') process.stderr.write(`${run?.output}\n`)
  run?.cleanUp()
})

test('an answer outlives its node, unchanged', { timeout: 180_000 }, async () => {
  run = new Run('--kill', '--nodes', '2', '--json')
  expect(await run.exit, run.output).toEqual([0, null])
  const [killed] = run.of('killed')
  const [goesOn] = run.of('goes_on')
  expect(killed).toMatchObject({ signal: 'SIGKILL' })
  expect(goesOn?.node).not.toBe(killed?.node)
  expect(run.of('summary')).toEqual([
    expect.objectContaining({
      killed: killed?.node,
      same: true,
      gapMs: expect.any(Number),
      failures: [expect.objectContaining({ code: 'stream_cut' })]
    })
  ])
  const running = run
  await expect.poll(() => running.processes(), { timeout: 20_000 }).toEqual([])
  expect(run.files()).toEqual([])
})

test('somebody has to be there to go on', async () => {
  run = new Run('--kill', '--nodes', '1')
  expect(await run.exit).toEqual([2, null])
  expect(run.output).toBe('--nodes takes a number from 2 to 20, not "1".\n')
})
