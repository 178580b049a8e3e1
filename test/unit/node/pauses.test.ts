/** When a node is paused: by its owner, by hours, by programs and by the GPU. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { expect, onTestFinished, test } from 'vitest'

import { isWithin, parseHours } from '../../../node/pause/hours.ts'
import { Pauses } from '../../../node/pause/pauses.ts'
import { isRunning, othersCompute } from '../../../node/pause/programs.ts'

test.each([
  ['22:00-07:00', '23:30', true],
  ['22:00-07:00', '06:59', true],
  ['22:00-07:00', '07:00', false],
  ['22:00-07:00', '12:00', false],
  ['9:00-17:30', '17:29', true],
  ['9:00-17:30', '08:59', false],
  ['18:00-24:00', '23:59', true]
])('with %s the node serves at %s: %s', (hours, time, serves) => {
  const [hour = 0, minute = 0] = time.split(':').map(Number)
  expect(isWithin(parseHours(hours), new Date(2026, 10, 21, hour, minute))).toBe(serves)
})

test.each(['', '22-7', '25:00-07:00', '22:60-07:00', '07:00-07:00', '22:00'])(
  '"%s" is not a range of hours',
  (text) => {
    expect(() => parseHours(text)).toThrow('expected hours such as 22:00-07:00')
  }
)

test('a running program is found by its name, whatever its case', async () => {
  // This test runs in Node, under a name that depends on the system.
  expect(await isRunning(['NODE', 'node (vitest 1)'])).toBe(true)
  expect(await isRunning(['no-such-program'])).toBe(false)
})

const PMON = `# gpu         pid   type     sm    mem    enc    dec    command
# Idx           #    C/G      %      %      %      %    name
    0       1234     C     97     40      -      -    node
    0       2345     G      3      1      -      -    Xorg
    1          -     -      -      -      -      -    -
`

test.each([
  ['of this node computes, and a desktop draws', PMON, [1234], false],
  ['of another program computes', PMON, [999, undefined], true],
  ['runs on the GPU', PMON.split('\n').slice(0, 2).join('\n'), [], false],
  ['can be listed', '', [], false]
])('the GPU: a process %s', (_, pmon, own, used) => {
  expect(othersCompute(pmon, own)).toBe(used)
})

test('the node continues when no reason is left, and the pause of the owner is saved', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'potluck-pauses-'))
  onTestFinished(async () => await rm(directory, { recursive: true }))
  const changes: boolean[] = []
  let holds = true
  const conditions = [
    { reason: 'a game runs', holds: () => holds },
    { reason: 'never', holds: () => Promise.reject(new Error('the tool is missing')) }
  ]
  const options = { conditions, onChange: async (paused: boolean) => void changes.push(paused) }
  const pauses = await Pauses.open(directory, options)
  await pauses.check()
  await pauses.setByOwner(true)
  expect(pauses.reasons).toEqual(['its owner paused it', 'a game runs'])
  holds = false
  await pauses.check()
  expect(changes).toEqual([true])
  expect((await Pauses.open(directory, options)).reasons).toEqual(['its owner paused it'])
  await pauses.setByOwner(false)
  expect(changes).toEqual([true, false])
  expect((await Pauses.open(directory, options)).reasons).toEqual([])
})
