import { PotluckError, type Embeddings, type PromptInput, type ReadJob, type ParsedAnswer } from '@potluck/protocol'
import type {
  Engine,
  EngineBackend,
  EngineCounters,
  EngineEvent,
  EngineModel,
  EngineStatus,
  GenerateJob,
  Generation,
  PositionScores,
  ScoreJob
} from '../interface.ts'
import type { FromChild, LoadOptions, LoadStage, Result, ToChild } from './messages.ts'
import type { Loaded } from './process.ts'
import { abortedError } from '../answer/checks.ts'
import { PushedGeneration } from '../answer/generation.ts'
import { Supervisor } from './supervisor.ts'

/** What the daemon's logger is used for: the engine's own output, which says nothing of prompts. */
export interface DebugLogger {
  debug: (fields: object, message: string) => void
}

export interface RemoteEngineOptions {
  /** The module that runs in the process. */
  entry: URL
  load: LoadOptions
  logger: DebugLogger
  onProgress?: (fraction: number, stage: LoadStage) => void
  signal?: AbortSignal
}

type Request = Exclude<ToChild, { type: 'load' | 'grant' | 'abort' }>
type WithoutId<T> = T extends unknown ? Omit<T, 'id'> : never

/** Somebody who waits for an answer from the process. */
interface Waiter {
  /** Of a generation. */
  event?: (event: EngineEvent) => void
  settle: (message: Extract<FromChild, { id: number }>) => void
  fail: (error: Error) => void
}

/** An engine in a supervised process of its own. */
export class RemoteEngine implements Engine {
  readonly slots: number
  readonly #supervisor: Supervisor
  readonly #waiters = new Map<number, Waiter>()
  readonly #listeners = new Set<(status: EngineStatus) => void>()
  #loaded!: Loaded
  #lastId = 0

  /** Starts the process and loads the model; throws PotluckError `engine_failed` with one line for the user. */
  static async start(options: RemoteEngineOptions): Promise<RemoteEngine> {
    const engine = new RemoteEngine(options)
    engine.#loaded = await engine.#supervisor.start(options.signal)
    return engine
  }

  private constructor({ entry, load, logger, onProgress }: RemoteEngineOptions) {
    this.slots = load.slots
    this.#supervisor = new Supervisor(entry, load, {
      progress: (stage, fraction) => onProgress?.(fraction, stage),
      log: (text) => logger.debug({ engine: text }, 'llama.cpp'),
      event: (id, event) => this.#waiters.get(id)?.event?.(event),
      message: (message) => this.#waiters.get(message.id)?.settle(message),
      status: (status) => {
        for (const listener of this.#listeners) listener(status)
      },
      lost: (reason) => this.#failAll(reason)
    })
  }

  get model(): EngineModel {
    return this.#loaded.model
  }

  get backend(): EngineBackend {
    return this.#loaded.backend
  }

  get remembered(): number {
    return this.#loaded.remembered
  }

  get status(): EngineStatus {
    return this.#supervisor.status
  }

  /** The process that runs the model now; undefined while there is none. */
  get pid(): number | undefined {
    return this.status.state === 'ready' ? this.#supervisor.process.pid : undefined
  }

  onStatus(listener: (status: EngineStatus) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  async tokenize(input: PromptInput, signal?: AbortSignal): Promise<number[]> {
    const { tokens } = await this.#ask('tokens', { type: 'tokenize', input }, signal)
    return Array.from(tokens)
  }

  async score(job: ScoreJob, signal?: AbortSignal): Promise<PositionScores[]> {
    return (await this.#ask('scores', { type: 'score', job }, signal)).scores
  }

  async read(job: ReadJob, signal?: AbortSignal): Promise<ParsedAnswer> {
    return (await this.#ask('reading', { type: 'read', job }, signal)).reading
  }

  async embed(texts: readonly string[], signal?: AbortSignal): Promise<Embeddings> {
    return (await this.#ask('embeddings', { type: 'embed', texts }, signal)).embeddings
  }

  async counters(): Promise<EngineCounters> {
    const { counters } = await this.#ask('counters', { type: 'counters' })
    return { ...counters, restarts: this.#supervisor.restarts }
  }

  generate(job: GenerateJob, signal?: AbortSignal): Generation {
    const id = ++this.#lastId
    const generation = new PushedGeneration(
      job,
      {
        start: (started) => {
          this.#supervisor.process.send({ type: 'generate', id, job: started })
          this.#waiters.set(id, {
            fail: (error) => generation.fail(error),
            event: (event) => {
              if (event.type === 'done') this.#waiters.delete(id)
              generation.accept(event)
            },
            settle: (message) => {
              if (message.type !== 'error') return
              this.#waiters.delete(id)
              generation.fail(new PotluckError(message.code, message.message))
            }
          })
        },
        grant: (tokens) => this.#tell({ type: 'grant', id, tokens }),
        abort: () => this.#tell({ type: 'abort', id })
      },
      signal
    )
    return generation
  }

  async close(): Promise<void> {
    await this.#supervisor.close()
  }

  async #ask<T extends Result['type']>(
    kind: T,
    request: WithoutId<Request>,
    signal?: AbortSignal
  ): Promise<Extract<Result, { type: T }>> {
    if (signal?.aborted) throw abortedError()
    const id = ++this.#lastId
    const { promise, resolve, reject } = Promise.withResolvers<Extract<Result, { type: T }>>()
    this.#supervisor.process.send({ ...request, id })
    this.#waiters.set(id, {
      fail: reject,
      settle: (message) => {
        if (message.type === 'error') reject(new PotluckError(message.code, message.message))
        else if (message.type === 'result' && isKind(message.result, kind)) resolve(message.result)
      }
    })
    const abort = (): void => this.#tell({ type: 'abort', id })
    signal?.addEventListener('abort', abort, { once: true })
    try {
      return await promise
    } finally {
      signal?.removeEventListener('abort', abort)
      this.#waiters.delete(id)
    }
  }

  /** About something that is under way; without a process it is over anyway. */
  #tell(message: ToChild): void {
    if (this.status.state === 'ready') this.#supervisor.process.send(message)
  }

  #failAll(reason: string): void {
    const error = new PotluckError('engine_failed', reason)
    const waiters = [...this.#waiters.values()]
    this.#waiters.clear()
    for (const waiter of waiters) waiter.fail(error)
  }
}

function isKind<T extends Result['type']>(result: Result, kind: T): result is Extract<Result, { type: T }> {
  return result.type === kind
}
