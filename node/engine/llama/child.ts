/**
 * The entry of the engine's process. It receives requests from the daemon and runs them.
 *
 * The process must end when the daemon ends, because it keeps the model in memory. So it kills itself as soon as the
 * IPC channel closes. It does not call `process.exit`, which would wait for a native call to return.
 */
import process from 'node:process'
import { PotluckError } from '@potluck/protocol'
import { Credit } from '../answer/credit.ts'
import { runAudit } from '../audit.ts'
import { abortedError } from '../checks.ts'
import type { EngineRequest, FromChild, LoadOptions, LoadStage, Result, ToChild } from '../child/messages.ts'
import type { EngineEvent } from '../interface.ts'
import type { LlamaProcessEngine } from './engine.ts'
import { Outbox } from './outbox.ts'
import type { LlamaReader } from './reader.ts'

const die = (): boolean => process.kill(process.pid, 'SIGKILL')
process.once('disconnect', die)
if (process.connected !== true) die()
// Ctrl-C sends SIGINT to all processes of the terminal. The daemon finishes its answers first, then ends this process.
process.on('SIGINT', () => undefined)

interface Job {
  abort: AbortController
  credit: Credit
}

class EngineHost {
  readonly #outbox: Outbox
  readonly #jobs = new Map<number, Job>()
  #reader: LlamaReader | undefined
  /** Undefined in a process that only reads. */
  #engine: LlamaProcessEngine | undefined

  /** @param send sends a message to the daemon */
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
      case 'audit':
      case 'noise':
      case 'counters':
        void this.#answer(message)
    }
  }

  async #load(options: LoadOptions): Promise<void> {
    // These modules import node-llama-cpp, which takes a moment. The process must handle signals before that.
    const { load, loadReader, describeLoadError } = await import('./load.ts')
    const { LlamaProcessEngine } = await import('./engine.ts')
    const { LlamaReader } = await import('./reader.ts')
    const report = {
      progress: (stage: LoadStage, fraction: number) => this.#outbox.send({ type: 'progress', stage, fraction }),
      log: (text: string) => this.#outbox.send({ type: 'log', text }),
      evaluating: () => this.#outbox.flush()
    }
    try {
      if (options.reader !== undefined) {
        const read = await loadReader(options, options.reader, report)
        this.#reader = new LlamaReader(read)
        const { model, backend, file, fit } = read
        this.#outbox.send({ type: 'ready', model, backend, file, remembered: 0, fit })
        return
      }
      const loaded = await load(options, report)
      this.#engine = new LlamaProcessEngine(loaded)
      this.#reader = this.#engine
      const { model, backend, file, remembered } = loaded
      this.#outbox.send({ type: 'ready', model, backend, file, remembered })
    } catch (error) {
      this.#outbox.send({ type: 'refused', reason: describeLoadError(error, options.modelPath) })
    }
  }

  async #answer(request: EngineRequest): Promise<void> {
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

  async #run(request: EngineRequest): Promise<void> {
    const { id } = request
    const result = (value: Result): void => this.#outbox.send({ type: 'result', id, result: value })
    const reader = present(this.#reader)
    if (request.type === 'tokenize') return result({ type: 'tokens', tokens: reader.tokenize(request.input) })
    if (request.type === 'read') return result({ type: 'reading', reading: reader.read(request.job) })
    const engine = present(this.#engine)
    switch (request.type) {
      case 'counters':
        return result({ type: 'counters', counters: await engine.counters() })
      case 'score': {
        const { abort } = this.#begin(id, 0)
        return result({ type: 'scores', scores: await engine.score(request.job, abort.signal) })
      }
      case 'embed': {
        const { abort } = this.#begin(id, 0)
        return result({ type: 'embeddings', embeddings: await engine.embed(request.texts, abort.signal) })
      }
      case 'audit': {
        const { abort } = this.#begin(id, 0)
        return result({ type: 'audit', outcome: await runAudit(request.job, engine.forAudits(), abort.signal) })
      }
      case 'noise': {
        const { abort } = this.#begin(id, 0)
        return result({ type: 'noise', noise: await engine.noise(abort.signal) })
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

function present<T>(loaded: T | undefined): T {
  if (loaded === undefined) throw new PotluckError('engine_failed', 'no model is loaded')
  return loaded
}

const host = new EngineHost((message) => {
  // If a message cannot be sent, the daemon is gone, even if the event `disconnect` has not arrived yet.
  process.send?.(message, undefined, undefined, (error) => {
    if (error !== null) die()
  })
})
process.on('message', (message) => host.receive(message as ToChild))
