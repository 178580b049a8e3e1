/** One life of the engine's process: from its start to its end, however that comes. */
import { fork, type ChildProcess } from 'node:child_process'
import { PotluckError } from '@potluck/protocol'
import { STDERR_TAIL_BYTES } from '../constants.ts'
import type { EngineBackend, EngineEvent, EngineModel } from '../interface.ts'
import { engineEnvironment } from './environment.ts'
import type { FileIdentity, FromChild, LoadOptions, LoadStage, ToChild } from './messages.ts'

/** What a process that is ready has told about itself. */
export interface Loaded {
  model: EngineModel
  backend: EngineBackend
  file: FileIdentity
  /** Conversations that it remembers beside those in its slots. */
  remembered: number
}

export interface ProcessEvents {
  progress: (stage: LoadStage, fraction: number) => void
  log: (text: string) => void
  /** Of a generation. */
  event: (id: number, event: EngineEvent) => void
  /** How a request ended otherwise. */
  message: (message: Extract<FromChild, { id: number }>) => void
}

export class EngineProcess {
  /** Resolves once the model is loaded; rejects with PotluckError `engine_failed`. */
  readonly loaded: Promise<Loaded>
  /** Resolves with one line about how the process ended. Never rejects. */
  readonly ended: Promise<string>
  readonly #child: ChildProcess
  #stderr = ''

  constructor(entry: URL, options: LoadOptions, events: ProcessEvents) {
    this.#child = fork(entry, {
      env: engineEnvironment(),
      execArgv: [],
      serialization: 'advanced',
      // llama.cpp and failed assertions write past every logger: the terminal is the user's.
      stdio: ['ignore', 'ignore', 'pipe', 'ipc']
    })
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-STDERR_TAIL_BYTES)
    })
    this.ended = new Promise((resolve) => {
      this.#child.once('error', (error) => resolve(`the engine's process could not be started: ${error.message}`))
      this.#child.once('close', (code, signal) => resolve(this.#describeEnd(code, signal)))
    })
    const { promise, resolve, reject } = Promise.withResolvers<Loaded>()
    this.loaded = promise
    // Whoever starts a process waits for it; a crash before that must not be unhandled.
    this.loaded.catch(() => undefined)
    this.#child.on('message', (message) => this.#receive(message as FromChild, events, resolve, reject))
    void this.ended.then((reason) => reject(new PotluckError('engine_failed', reason)))
    this.send({ type: 'load', options })
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  send(message: ToChild): void {
    // The callback takes errors of a channel that closes right now; `ended` tells about it.
    if (this.#child.connected) this.#child.send(message, () => undefined)
  }

  /** Ends the process at once and waits until its memory is free. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.ended
  }

  #receive(
    message: FromChild,
    events: ProcessEvents,
    resolve: (loaded: Loaded) => void,
    reject: (error: Error) => void
  ): void {
    switch (message.type) {
      case 'progress':
        return events.progress(message.stage, message.fraction)
      case 'log':
        return events.log(message.text)
      case 'ready':
        return resolve({
          model: message.model,
          backend: message.backend,
          file: message.file,
          remembered: message.remembered
        })
      case 'refused':
        return reject(new PotluckError('engine_failed', message.reason))
      case 'events':
        for (const { id, event } of message.events) events.event(id, event)
        return
      case 'result':
      case 'error':
        return events.message(message)
    }
  }

  #describeEnd(code: number | null, signal: NodeJS.Signals | null): string {
    const how = signal === null ? `with code ${code}` : `by ${signal}`
    const last = this.#stderr.trimEnd().split('\n').at(-1)
    return `the engine's process ended ${how}${last === undefined || last === '' ? '' : `: ${last.trim()}`}`
  }
}
