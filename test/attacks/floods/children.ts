/** The processes of a flood, as their parent sees them. */
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'

import type { Order, Sent } from './attacker.ts'
import type { Usage, VictimKind } from './victim.ts'

class Child<Ready, Answer> implements AsyncDisposable {
  readonly #process: ChildProcess
  readonly ready: Promise<Ready>

  constructor(file: string, argument: string) {
    this.#process = fork(new URL(file, import.meta.url), [argument])
    this.ready = this.#next<Ready>()
    // `ask` reports the end of the process too.
    this.ready.catch(() => undefined)
  }

  /** @throws Error if the process has ended */
  async ask(): Promise<Answer> {
    const answer = this.#next<Answer>()
    this.#process.send('ask', () => undefined)
    return await answer
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    const exited = once(this.#process, 'exit')
    this.#process.kill('SIGKILL')
    await exited
  }

  async #next<T>(): Promise<T> {
    const ended = new AbortController()
    const { signal } = ended
    const exit = once(this.#process, 'exit', { signal }).then(() => {
      throw new Error('the process has ended')
    })
    const message = once(this.#process, 'message', { signal }).then(([first]) => first as T)
    // Aborting rejects the other one.
    exit.catch(() => undefined)
    message.catch(() => undefined)
    try {
      return await Promise.race([message, exit])
    } finally {
      ended.abort()
    }
  }
}

/** `ready` resolves to its addresses. */
export class Victim extends Child<string[], Usage> {
  constructor(kind: VictimKind) {
    super('victim.ts', kind)
  }
}

export class Attacker extends Child<'ready', Sent> {
  constructor(order: Order) {
    super('attacker.ts', JSON.stringify(order))
  }
}
