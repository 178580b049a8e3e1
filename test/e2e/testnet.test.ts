/** `npm run testnet` as a user runs it, with its end in every way that it can end. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, test } from 'vitest'

const SCRIPT = fileURLToPath(new URL('../../scripts/testnet.ts', import.meta.url))

class Run {
  readonly child: ChildProcess
  /** Exit code and signal. */
  readonly exit: Promise<unknown[]>
  readonly temporary: string = mkdtempSync(join(tmpdir(), 'potluck-testnet-test-'))
  output = ''
  /** In every process that the run starts, through the environment. */
  readonly #mark = `POTLUCK_TEST_MARK=${randomUUID()}`
  #onOutput = Promise.withResolvers<void>()

  constructor(...args: string[]) {
    const [name = '', value = ''] = this.#mark.split('=')
    this.child = spawn(process.execPath, [SCRIPT, ...args], {
      env: { ...process.env, TMPDIR: this.temporary, [name]: value },
      stdio: ['ignore', 'pipe', 'pipe'],
      // A process group of its own, as a terminal gives it: Ctrl-C goes to all of the group.
      detached: true
    })
    this.exit = once(this.child, 'exit')
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.on('data', (data: Buffer) => {
        this.output += data.toString()
        this.#onOutput.resolve()
        this.#onOutput = Promise.withResolvers()
      })
    }
  }

  /** Waits until the output matches; fails with the output if the process ends before. */
  async shows(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.output)) {
      const ended = await Promise.race([this.#onOutput.promise, this.exit])
      if (Array.isArray(ended) && !pattern.test(this.output))
        throw new Error(`Ended before ${pattern}:\n${this.output}`)
    }
  }

  events(): Array<Record<string, unknown>> {
    return this.output
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
  }

  interruptGroup(): void {
    process.kill(-(this.child.pid ?? 0), 'SIGINT')
  }

  /** Processes of the run by its mark in their environment or by its process group. */
  processes(): string[] {
    const { stdout } = spawnSync('ps', ['axeww', '-o', 'pid=,pgid=,command='], { encoding: 'utf8', maxBuffer: 2 ** 26 })
    return stdout.split('\n').filter((line) => {
      const [, group] = line.trim().split(/\s+/)
      return line.includes(this.#mark) || group === String(this.child.pid)
    })
  }

  files(): string[] {
    return readdirSync(this.temporary, { recursive: true }).map(String)
  }

  cleanUp(): void {
    try {
      process.kill(-(this.child.pid ?? 0), 'SIGKILL')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
    rmSync(this.temporary, { recursive: true, force: true })
  }
}

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
    // A test that timed out says nothing else of where the run stood.
    if (task.result?.state === 'fail') process.stderr.write(`${current?.output}\n`)
  })

  test('finds every node from the relay, streams an answer, and leaves nothing', async () => {
    const run = start('--json', '--nodes', '3', '--prompt', 'What colour is the sky?')
    expect(await run.exit, run.output).toEqual([0, null])
    const events = run.events()
    const of = (name: string): Array<Record<string, unknown>> => events.filter(({ type }) => type === name)
    expect(of('node')).toHaveLength(3)
    const digests = of('node').flatMap(({ models }) =>
      (models as Array<{ digest: string }>).map(({ digest }) => digest)
    )
    expect(new Set(digests).size).toBe(2)
    expect(new Set(of('node').map(({ peer }) => peer)).size).toBe(3)
    expect(
      of('text')
        .map(({ text }) => text)
        .join('')
    ).toMatch(/\w/)
    expect(of('summary')).toEqual([
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

  test('SIGTERM while it starts ends every process', async () => {
    const run = start('--json', '--nodes', '2')
    await run.shows(/"stage":"load"/)
    run.child.kill('SIGTERM')
    expect(await run.exit).toEqual([143, null])
    await nothingIsLeft(run)
  })

  test('no process outlives one that was killed', async () => {
    const run = start('--json', '--nodes', '1')
    await run.shows(/"type":"text"/)
    run.child.kill('SIGKILL')
    await nothingIsLeft(run)
  })

  test('says what is wrong with an option', async () => {
    const run = start('--nodes', 'many')
    expect(await run.exit).toEqual([2, null])
    expect(run.output).toBe('--nodes takes a number from 1 to 20, not "many".\n')
  })
})
