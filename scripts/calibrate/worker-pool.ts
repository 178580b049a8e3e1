/**
 * Engines at work: each job in a process of its own, as many at once as there are cores, so that one
 * engine's decodes do not wait for another's sampling.
 */
import { fork } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import type { TokenMargin } from '@potluck/protocol'
import type { Wanted } from './answers.ts'
import type { Generated, Setup } from './engine.ts'

export type Job =
  | { type: 'answers'; setup: Setup; wanted: readonly Wanted[] }
  | { type: 'audits'; setup: Setup; pools: readonly (readonly Generated[])[] }

/** What the process sends back, once. */
export type JobResult = { value: unknown } | { error: string }

const WORKER = fileURLToPath(new URL('worker.ts', import.meta.url))

export class Laboratory {
  readonly #signal: AbortSignal
  readonly #note: (text: string) => void
  readonly #waiting: Array<{ cores: number; begin: () => void }> = []
  #free: number = availableParallelism()

  /** @param note hears of every job that is done */
  constructor(signal: AbortSignal, note: (text: string) => void) {
    this.#signal = signal
    this.#note = note
  }

  /** Answers of one engine, a pool for each wish. */
  async answers(setup: Setup, wanted: readonly Wanted[], label: string): Promise<Generated[][]> {
    return (await this.#do({ type: 'answers', setup, wanted }, label)) as Generated[][]
  }

  /** What one auditor measures: by pool, answer and position. */
  async audits(setup: Setup, pools: readonly (readonly Generated[])[], label: string): Promise<TokenMargin[][][]> {
    return (await this.#do({ type: 'audits', setup, pools }, label)) as TokenMargin[][][]
  }

  async #do(job: Job, label: string): Promise<unknown> {
    // Threads that have to share a core wait for each other.
    const cores = Math.min(job.setup.threads ?? 1, availableParallelism())
    await new Promise<void>((begin) => {
      this.#waiting.push({ cores, begin })
      this.#admit()
    })
    const began = performance.now()
    try {
      return await inProcess(job, this.#signal)
    } finally {
      this.#free += cores
      this.#admit()
      this.#note(`${label}: ${((performance.now() - began) / 1000).toFixed(0)} s`)
    }
  }

  #admit(): void {
    for (let next = this.#waiting[0]; next !== undefined && next.cores <= this.#free; next = this.#waiting[0]) {
      this.#waiting.shift()
      this.#free -= next.cores
      next.begin()
    }
  }
}

async function inProcess(job: Job, signal: AbortSignal): Promise<unknown> {
  signal.throwIfAborted()
  // One thread for decodes: those that wander over the pool's threads take twice as long.
  const worker = fork(WORKER, { serialization: 'advanced', signal, env: { ...process.env, UV_THREADPOOL_SIZE: '1' } })
  return new Promise((resolve, reject) => {
    worker.once('error', reject)
    worker.once('exit', (code) => reject(new Error(`a process of the laboratory ended with ${code}`)))
    worker.once('message', (result: JobResult) => {
      if ('error' in result) reject(new Error(result.error))
      else resolve(result.value)
    })
    worker.send(job)
  })
}
