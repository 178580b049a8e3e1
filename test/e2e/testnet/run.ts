/** Runs `npm run testnet` and observes it from outside: its output, its processes, and the files that it leaves. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const SCRIPT = fileURLToPath(new URL('../../../scripts/testnet.ts', import.meta.url))

export class Run {
  readonly child: ChildProcess
  /** Exit code and signal. */
  readonly exit: Promise<unknown[]>
  readonly temporary: string = mkdtempSync(join(tmpdir(), 'potluck-testnet-test-'))
  output = ''
  /** An environment variable that every process of the run inherits. */
  readonly #mark = `POTLUCK_TEST_MARK=${randomUUID()}`
  #onOutput = Promise.withResolvers<void>()

  constructor(...args: string[]) {
    const [name = '', value = ''] = this.#mark.split('=')
    this.child = spawn(process.execPath, [SCRIPT, ...args], {
      env: { ...process.env, TMPDIR: this.temporary, [name]: value },
      stdio: ['ignore', 'pipe', 'pipe'],
      // Its own process group, as a terminal creates it: Ctrl-C reaches every process of the group.
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

  /** Waits until the output matches. Throws with the output if the process ends first. */
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

  /** The events of one type. */
  of(name: string): Array<Record<string, unknown>> {
    return this.events().filter(({ type }) => type === name)
  }

  interruptGroup(): void {
    process.kill(-(this.child.pid ?? 0), 'SIGINT')
  }

  /** The running processes that have the mark in their environment or belong to the process group. */
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
