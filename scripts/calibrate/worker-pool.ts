/**
 * Runs engines in worker processes. Each job has its own process, so that the evaluation of one engine does not wait
 * for the sampling of another engine. Together they run at most as many threads as the machine has cores.
 */
import { fork } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import type { TokenMargin } from '@potluck/protocol'
import type { PoolSpec } from './answers.ts'
import type { Generated, Setup } from './engine.ts'

export type Job =
  | { type: 'answers'; setup: Setup; specs: readonly PoolSpec[] }
  | { type: 'audits'; setup: Setup; pools: readonly (readonly Generated[])[] }
  | { type: 'noise'; setup: Setup }

/** What an engine measures of one answer. */
export interface Measurement {
  /** By position. */
  margins: readonly TokenMargin[]
  /** The engine's own, see `fingerprintsOf`. */
  fingerprints: Uint8Array
}

/** The worker's only message. */
export type JobResult = { value: unknown } | { error: string }

const WORKER = fileURLToPath(new URL('worker.ts', import.meta.url))

export class WorkerPool {
  readonly #signal: AbortSignal
  readonly #note: (text: string) => void
  readonly #waiting: Array<{ cores: number; start: () => void }> = []
  #free: number = availableParallelism()

  /** @param note called after every job, with its label and duration */
  constructor(signal: AbortSignal, note: (text: string) => void) {
    this.#signal = signal
    this.#note = note
  }

  /** Generates answers with one engine, a pool for each spec. */
  async answers(setup: Setup, specs: readonly PoolSpec[], label: string): Promise<Generated[][]> {
    return (await this.#run({ type: 'answers', setup, specs }, label)) as Generated[][]
  }

  /** Measures answers with one engine. The result is by pool and answer. */
  async audits(setup: Setup, pools: readonly (readonly Generated[])[], label: string): Promise<Measurement[][]> {
    return (await this.#run({ type: 'audits', setup, pools }, label)) as Measurement[][]
  }

  /** Measures the noise of the model, see `measureNoise`. */
  async noise(setup: Setup, label: string): Promise<number> {
    return (await this.#run({ type: 'noise', setup }, label)) as number
  }

  async #run(job: Job, label: string): Promise<unknown> {
    // Threads that share a core would wait for each other.
    const cores = Math.min(job.setup.threads ?? 1, availableParallelism())
    await new Promise<void>((start) => {
      this.#waiting.push({ cores, start })
      this.#startNext()
    })
    const began = performance.now()
    try {
      return await inProcess(job, this.#signal)
    } finally {
      this.#free += cores
      this.#startNext()
      this.#note(`${label}: ${((performance.now() - began) / 1000).toFixed(0)} s`)
    }
  }

  #startNext(): void {
    for (let next = this.#waiting[0]; next !== undefined && next.cores <= this.#free; next = this.#waiting[0]) {
      this.#waiting.shift()
      this.#free -= next.cores
      next.start()
    }
  }
}

async function inProcess(job: Job, signal: AbortSignal): Promise<unknown> {
  signal.throwIfAborted()
  // With one thread in libuv's pool, all evaluations run on the same thread. Otherwise they take twice as long.
  const worker = fork(WORKER, { serialization: 'advanced', signal, env: { ...process.env, UV_THREADPOOL_SIZE: '1' } })
  return new Promise((resolve, reject) => {
    worker.once('error', reject)
    worker.once('exit', (code) => reject(new Error(`A worker process ended with exit code ${code}.`)))
    worker.once('message', (result: JobResult) => {
      if ('error' in result) reject(new Error(result.error))
      else resolve(result.value)
    })
    worker.send(job)
  })
}
