/** The honest peers of a siege, as their parent sees them. */
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

import type { FromVictim, Memory, Role } from './victim.ts'

const VICTIM = fileURLToPath(new URL('victim.ts', import.meta.url))

export interface Measurement extends Memory {
  /** Since the first measurement. */
  minutes: number
}

export class Victim implements AsyncDisposable {
  readonly name: string
  readonly memory: Measurement[] = []
  answered: number = 0
  /** The requests that failed, by reason. */
  readonly failed: Map<string, number> = new Map()
  readonly #process: ChildProcess
  readonly #ended: Promise<never>
  readonly #startedAt = performance.now()

  /** @param name for a person, such as "relay" */
  constructor(name: string, role: Role) {
    this.name = name
    this.#process = fork(VICTIM, [JSON.stringify(role)], {
      execArgv: ['--expose-gc'],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc']
    })
    this.#ended = once(this.#process, 'exit').then(() => {
      throw new Error(`the ${name} of the siege has ended`)
    })
    // Nobody may wait for it.
    this.#ended.catch(() => undefined)
    this.#process.on('message', (message: FromVictim) => {
      if ('answered' in message) this.answered++
      if ('failed' in message) this.failed.set(message.failed, (this.failed.get(message.failed) ?? 0) + 1)
    })
  }

  /** The addresses of a relay or a node, as soon as it has started. */
  async addresses(): Promise<string[]> {
    return (await this.#next('addresses')).addresses
  }

  async measure(): Promise<void> {
    const measured = this.#next('memory')
    // If the process has ended, its end is the error.
    this.#process.send('measure', () => undefined)
    const { memory } = await measured
    this.memory.push({ ...memory, minutes: (performance.now() - this.#startedAt) / 60_000 })
  }

  /** Requests that have ended. */
  get asked(): number {
    return [...this.failed.values()].reduce((sum, count) => sum + count, this.answered)
  }

  /** Bytes. */
  get largestMemory(): number {
    return Math.max(...this.memory.map(({ used }) => used))
  }

  /** MB per minute after this time, by the line with the least squares; undefined with fewer than 10 measurements. */
  growth(afterMinutes: number): number | undefined {
    const points = this.memory.filter(({ minutes }) => minutes >= afterMinutes)
    if (points.length < 10) return undefined
    const meanOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length
    const minute = meanOf(points.map(({ minutes }) => minutes))
    const memory = meanOf(points.map(({ used }) => used))
    const both = meanOf(points.map(({ minutes, used }) => (minutes - minute) * (used - memory)))
    return both / meanOf(points.map(({ minutes }) => (minutes - minute) ** 2)) / 1e6
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await end(this.#process)
  }

  async #next<K extends 'addresses' | 'memory'>(kind: K): Promise<Extract<FromVictim, Record<K, unknown>>> {
    const message = new Promise<Extract<FromVictim, Record<K, unknown>>>((resolve) => {
      const listen = (received: FromVictim): void => {
        if (!(kind in received)) return
        this.#process.off('message', listen)
        resolve(received as Extract<FromVictim, Record<K, unknown>>)
      }
      this.#process.on('message', listen)
    })
    return await Promise.race([message, this.#ended])
  }
}

export async function end(process: ChildProcess): Promise<void> {
  if (process.exitCode !== null || process.signalCode !== null) return
  const exited = once(process, 'exit')
  process.kill('SIGKILL')
  await exited
}
