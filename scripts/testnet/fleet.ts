/** A relay and nodes, each a process of its own: what `npm run testnet` and the network benchmarks run on. */
import { fork, type ChildProcess } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import type { NodeMetrics } from '../../node/index.ts'
import type { FromMember, MemberSpec, NodeSpec, Stage, ToMember } from './messages.ts'

const MEMBER = fileURLToPath(new URL('member.ts', import.meta.url))

/** A start takes seconds, and some ten times that where others want the same cores. */
const READY_MS = 120_000
/** Longer than a member gives itself; then it is killed. */
const STOP_MS = 6000
/** Of a member's log, kept to say why it failed. */
const LOG_TAIL = 4000

export interface FleetOptions {
  nodes: readonly NodeSpec[]
  onProgress?: (member: string, stage: Stage | 'ready', fraction: number) => void
  signal?: AbortSignal
}

export interface MemberUsage {
  cpuMicros: number
  rssBytes: number
}

export class Member {
  readonly name: string
  peerId = ''
  addresses: readonly string[] = []
  readonly #child: ChildProcess
  readonly #ready = Promise.withResolvers<void>()
  readonly #gone = Promise.withResolvers<string>()
  /** Whoever asked, in the order in which the member answers. */
  readonly #usages: Array<(usage: MemberUsage) => void> = []
  readonly #metrics: Array<(metrics: NodeMetrics) => void> = []
  #log = ''

  constructor(spec: MemberSpec, onProgress: (stage: Stage, fraction: number) => void) {
    this.name = spec.name
    this.#child = fork(MEMBER, [JSON.stringify(spec)], { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
    this.#child.stderr?.on('data', (data: Buffer) => {
      this.#log = (this.#log + data.toString()).slice(-LOG_TAIL)
    })
    this.#child.on('message', (message: FromMember) => {
      switch (message.type) {
        case 'progress':
          return onProgress(message.stage, message.fraction)
        case 'ready':
          this.peerId = message.peerId
          this.addresses = message.addresses
          return this.#ready.resolve()
        case 'failed':
          return this.#ready.reject(new Error(`${spec.name} did not start: ${message.message}`))
        case 'usage':
          return this.#usages.shift()?.(message)
        case 'metrics':
          return this.#metrics.shift()?.(message.metrics)
      }
    })
    // A process that could not be started has no exit.
    this.#child.on('error', (error) => this.#gone.resolve(error.message))
    this.#child.on('exit', (code, signal) => this.#gone.resolve(`it ended with ${signal ?? code}`))
    void this.#gone.promise.then((why) => this.#ready.reject(new Error(`${spec.name}: ${why}\n${this.#log}`.trimEnd())))
    // Whoever waits gets the error; a member that is stopped before it was ready has nobody waiting.
    this.#ready.promise.catch(() => undefined)
  }

  /** Resolves when the relay listens, or the node has advertised itself. */
  async ready(): Promise<void> {
    const timer = setTimeout(() => {
      this.#ready.reject(new Error(`${this.name} is not ready after ${READY_MS / 1000} s\n${this.#log}`.trimEnd()))
    }, READY_MS)
    await this.#ready.promise.finally(() => clearTimeout(timer))
  }

  join(bootstrap: readonly string[]): void {
    this.#send({ type: 'join', bootstrap: [...bootstrap] })
  }

  /** What the member's process has cost since its start. */
  async usage(): Promise<MemberUsage> {
    return await this.#ask('usage', this.#usages)
  }

  /** What the node counts; waits for it to have started. */
  async metrics(): Promise<NodeMetrics> {
    return await this.#ask('metrics', this.#metrics)
  }

  /** Closes the channel, which makes the member leave; resolves when its process is gone. */
  async stop(): Promise<void> {
    if (this.#child.connected) this.#child.disconnect()
    const timer = setTimeout(() => this.kill('SIGKILL'), STOP_MS)
    await this.#gone.promise
    clearTimeout(timer)
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  async #ask<T>(type: 'usage' | 'metrics', asking: Array<(answer: T) => void>): Promise<T> {
    return await new Promise((resolve, reject) => {
      void this.#gone.promise.then((why) => reject(new Error(`${this.name}: ${why}`)))
      asking.push(resolve)
      this.#send({ type })
    })
  }

  #send(message: ToMember): void {
    if (this.#child.connected) this.#child.send(message)
  }
}

export interface Fleet {
  readonly relay: Member
  readonly nodes: readonly Member[]
  /** Starts one more node, in the place of one that was killed; resolves when it has advertised itself. */
  start: (spec: NodeSpec) => Promise<Member>
  /** Ends every process; safe to call more than once. */
  stop: () => Promise<void>
}

/**
 * Starts all processes, as many nodes at once as the machine has cores, and resolves when every node has advertised
 * itself. Whatever fails, or an abort, ends all of them first.
 */
export async function startFleet({ nodes, onProgress, signal }: FleetOptions): Promise<Fleet> {
  const members: Member[] = []
  const killAll = (): void => members.forEach((member) => member.kill('SIGKILL'))
  process.on('exit', killAll)
  const stop = async (): Promise<void> => {
    await Promise.all(members.map((member) => member.stop()))
    process.off('exit', killAll)
  }
  const add = (spec: MemberSpec): Member => {
    const member = new Member(spec, (stage, fraction) => onProgress?.(spec.name, stage, fraction))
    members.push(member)
    return member
  }
  const aborted = signal === undefined ? undefined : rejectOnAbort(signal)
  try {
    const relay = add({ name: 'relay', role: 'relay' })
    const relayReady = relay.ready().then(() => onProgress?.('relay', 'ready', 1))
    const waiting = [...nodes]
    const started: Member[] = []
    const start: Fleet['start'] = async (spec) => {
      signal?.throwIfAborted()
      const member = add(spec)
      started.push(member)
      await relayReady
      member.join(relay.addresses)
      await member.ready()
      onProgress?.(spec.name, 'ready', 1)
      return member
    }
    const startNext = async (): Promise<void> => {
      for (let spec = waiting.shift(); spec !== undefined; spec = waiting.shift()) await start(spec)
    }
    const all = Promise.all([relayReady, ...Array.from({ length: availableParallelism() }, startNext)])
    await (aborted === undefined ? all : Promise.race([all, aborted]))
    return { relay, nodes: started, start, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

function rejectOnAbort(signal: AbortSignal): Promise<never> {
  const rejection = new Promise<never>((_, reject) => {
    if (signal.aborted) reject(signal.reason as Error)
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
  })
  rejection.catch(() => undefined)
  return rejection
}
