/** Tests `npm run testnet` as a user runs it, and every way in which it can end. */
import { afterEach, describe, expect, test } from 'vitest'

import { Run } from './run.ts'

describe('testnet', { timeout: 180_000 }, () => {
  let current: Run | undefined

  function start(...args: string[]): Run {
    current = new Run(...args)
    return current
  }

  async function nothingIsLeft(run: Run): Promise<void> {
    await expect.poll(() => run.processes(), { timeout: 20_000 }).toEqual([])
    expect(run.files()).toEqual([])
  }

  afterEach(({ task }) => {
    current?.cleanUp()
    // A test that times out has no other output.
    if (task.result?.state === 'fail') process.stderr.write(`${current?.output}\n`)
  })

  test('finds every node from the relay, streams an answer, and leaves nothing behind', async () => {
    const run = start('--json', '--nodes', '3', '--prompt', 'What colour is the sky?')
    expect(await run.exit, run.output).toEqual([0, null])
    expect(run.of('node')).toHaveLength(3)
    // One line for each stage of each of the four members, so that the result is not lost among them.
    const stages = run.of('progress').map(({ member, stage }) => `${String(member)} ${String(stage)}`)
    expect(new Set(stages).size).toBe(stages.length)
    const digests = run
      .of('node')
      .flatMap(({ models }) => (models as Array<{ digest: string }>).map(({ digest }) => digest))
    expect(new Set(digests).size).toBe(2)
    expect(new Set(run.of('node').map(({ peer }) => peer)).size).toBe(3)
    expect(
      run
        .of('text')
        .map(({ text }) => text)
        .join('')
    ).toMatch(/\w/)
    expect(run.of('summary')).toEqual([
      expect.objectContaining({ encryption: expect.stringContaining('noise'), muxer: expect.stringContaining('yamux') })
    ])
    await nothingIsLeft(run)
  })

  test('Ctrl-C in the middle of an answer ends every process', async () => {
    const run = start('--nodes', '1', '--prompt', 'Tell me a story about a fox.')
    await run.shows(/> Tell me a story about a fox\./)
    expect(run.processes().length).toBeGreaterThanOrEqual(4)
    run.interruptGroup()
    expect(await run.exit).toEqual([130, null])
    expect(run.output).toContain('Interrupted by SIGINT.')
    await nothingIsLeft(run)
  })

  test('SIGTERM during the start ends every process', async () => {
    const run = start('--json', '--nodes', '2')
    await run.shows(/"stage":"load"/)
    run.child.kill('SIGTERM')
    expect(await run.exit).toEqual([143, null])
    await nothingIsLeft(run)
  })

  test('SIGKILL of the main process ends every other process too', async () => {
    const run = start('--json', '--nodes', '1')
    await run.shows(/"type":"text"/)
    run.child.kill('SIGKILL')
    await nothingIsLeft(run)
  })

  test('an invalid option prints one line that names the problem', async () => {
    const run = start('--nodes', 'many')
    expect(await run.exit).toEqual([2, null])
    expect(run.output).toBe('--nodes takes a number from 1 to 20, not "many".\n')
  })
})
