/** The engine's process: takes messages from the daemon, and dies with it. */
import { PotluckError } from '@potluck/protocol'
import { abortedError } from '../answer/checks.ts'
import { Credit } from '../answer/credit.ts'
import type { FromChild, Result, ToChild } from '../child/messages.ts'
import type { EngineEvent } from '../interface.ts'
import { LlamaProcessEngine } from './engine.ts'
import { firstLine, load, ModelRefused } from './load.ts'
import { Outbox } from './outbox.ts'

interface Job {
  abort: AbortController
  credit: Credit
}

type Request = Exclude<ToChild, { type: 'load' | 'grant' | 'abort' }>

/** @param send to the daemon */
export class EngineHost {
  readonly #outbox: Outbox
  readonly #jobs = new Map<number, Job>()
  #engine: LlamaProcessEngine | undefined

  constructor(send: (message: FromChild) => void) {
    this.#outbox = new Outbox(send)
  }

  receive(message: ToChild): void {
    switch (message.type) {
      case 'load':
        void this.#load(message.options)
        return
      case 'grant':
        this.#jobs.get(message.id)?.credit.grant(message.tokens)
        return
      case 'abort':
        this.#jobs.get(message.id)?.abort.abort(abortedError())
        return
      case 'tokenize':
      case 'generate':
      case 'score':
      case 'read':
      case 'embed':
      case 'counters':
        void this.#answer(message)
    }
  }

  async #load(options: Extract<ToChild, { type: 'load' }>['options']): Promise<void> {
    try {
      const loaded = await load(options, {
        progress: (stage, fraction) => this.#outbox.send({ type: 'progress', stage, fraction }),
        log: (text) => this.#outbox.send({ type: 'log', text }),
        evaluating: () => this.#outbox.flush()
      })
      this.#engine = new LlamaProcessEngine(loaded)
      const { model, backend, file, remembered } = loaded
      this.#outbox.send({ type: 'ready', model, backend, file, remembered })
    } catch (error) {
      const reason =
        error instanceof ModelRefused ? error.message : `${options.modelPath} cannot be loaded: ${firstLine(error)}`
      this.#outbox.send({ type: 'refused', reason })
    }
  }

  async #answer(request: Request): Promise<void> {
    const { id } = request
    try {
      await this.#run(request)
    } catch (error) {
      const { code, message } =
        error instanceof PotluckError ? error : new PotluckError('engine_failed', `the engine failed: ${String(error)}`)
      this.#outbox.send({ type: 'error', id, code, message })
    } finally {
      this.#jobs.delete(id)
    }
  }

  async #run(request: Request): Promise<void> {
    const engine = this.#engine
    if (engine === undefined) throw new PotluckError('engine_failed', 'no model is loaded')
    const { id } = request
    const result = (value: Result): void => this.#outbox.send({ type: 'result', id, result: value })
    switch (request.type) {
      case 'tokenize':
        return result({ type: 'tokens', tokens: engine.tokenize(request.input) })
      case 'read':
        return result({ type: 'reading', reading: engine.read(request.job) })
      case 'counters':
        return result({ type: 'counters', counters: engine.counters() })
      case 'score': {
        const { abort } = this.#begin(id, 0)
        return result({ type: 'scores', scores: await engine.score(request.job, abort.signal) })
      }
      case 'embed': {
        const { abort } = this.#begin(id, 0)
        return result({ type: 'embeddings', embeddings: await engine.embed(request.texts, abort.signal) })
      }
      case 'generate': {
        const { abort, credit } = this.#begin(id, request.job.credit)
        const emit = (event: EngineEvent): void => this.#outbox.push(id, event)
        emit(await engine.generate(request.job, credit, emit, abort.signal))
        this.#outbox.flush()
      }
    }
  }

  #begin(id: number, credit: number): Job {
    const job: Job = { abort: new AbortController(), credit: new Credit(credit) }
    this.#jobs.set(id, job)
    return job
  }
}
