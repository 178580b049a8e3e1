/** A client and a node whose clock is wrong by three hours, in a network of nodes whose clocks are right. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

import { expect, onTestFinished, test, vi } from 'vitest'

import { ScriptedEngine } from '../../scripted-engine/engine.ts'
import { event, node, relay } from '../node/harness.ts'
import { lines, potluck, Running } from './command.ts'

const HOUR = 60 * 60 * 1000
const SHIFT_CLOCK = pathToFileURL(join(import.meta.dirname, 'shift-clock.mjs')).href

/** The environment of a process whose clock is wrong. */
function wrongBy(shiftMs: number): Record<string, string> {
  return { NODE_OPTIONS: `--import ${SHIFT_CLOCK}`, CLOCK_SHIFT_MS: String(shiftMs) }
}

/** Starts a relay and some nodes. Returns the relay's address, when clients can find the nodes. */
async function network(nodes: number): Promise<string> {
  const [bootstrap = ''] = (await relay()).addresses()
  const serving = await Promise.all(
    Array.from({ length: nodes }, async () => await node(new ScriptedEngine(), { bootstrap: [bootstrap] }))
  )
  await Promise.all(serving.map(async (one) => await event(one, 'advertised')))
  return bootstrap
}

async function home(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'potluck-clock-'))
  onTestFinished(async () => await rm(directory, { recursive: true, force: true }))
  return directory
}

for (const [shiftMs, word] of [
  [-3 * HOUR, 'behind'],
  [3 * HOUR, 'ahead']
] as const) {
  test(`a client whose clock is ${word} says so instead of that there is no node`, async () => {
    const bootstrap = await network(4)
    const options = { home: await home(), env: wrongBy(shiftMs) }
    for (const args of [['run', 'Hello'], ['nodes']]) {
      const { code, stderr } = await potluck([...args, '--no-mdns', '--bootstrap', bootstrap], options)
      expect(code).toBe(1)
      expect(stderr).toMatch(
        new RegExp(
          `^potluck: no usable node was found: this machine's clock is about 3 hours ${word} \\(compared with \\d peers\\); set the clock .*timedatectl set-ntp true`
        )
      )
      expect(stderr.trim().split('\n')).toHaveLength(1)
    }
  })
}

test('with one node only, the client says that the clocks differ', async () => {
  const bootstrap = await network(1)
  const { code, stderr } = await potluck(['run', 'Hello', '--no-mdns', '--bootstrap', bootstrap], {
    home: await home(),
    env: wrongBy(-3 * HOUR)
  })
  expect(code).toBe(1)
  expect(stderr).toContain("one node was found, but its clock and this machine's clock differ by about 3 hours")
})

test('a node whose clock is ahead reports it, in serve and in status', async () => {
  const bootstrap = await network(4)
  const directory = await home()
  const args = ['serve', '--no-mdns', '--listen', '/ip4/127.0.0.1/tcp/0', '--threads', '1', '--slots', '1']
  const serving = new Running([...args, '--bootstrap', bootstrap], { home: directory, env: wrongBy(3 * HOUR) })
  onTestFinished(async () => void (await serving.stop()))
  const message = expect.stringMatching(
    /this machine's clock is about 3 hours ahead \(compared with \d peers\)/
  ) as string
  await vi.waitUntil(() => serving.lines.some(({ kind }) => kind === 'clock'), { timeout: 60_000 })
  expect(serving.lines).toContainEqual({ type: 'problem', kind: 'clock', message })
  const [status] = lines((await potluck(['status', '--json'], { home: directory })).stdout)
  expect(status?.problems).toContainEqual({ kind: 'clock', message })
  // The other peers refuse the node's card.
  await vi.waitUntil(() => serving.lines.some(({ kind }) => kind === 'advertise'), { timeout: 60_000 })
})
