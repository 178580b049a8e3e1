/** Starts a relay and nodes, each in its own process, for `npm run testnet` and the network benchmarks. */
import { fork, type ChildProcess } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { raceSignal } from 'race-signal'
import type { NodeMetrics } from '../../node/index.ts'
import type { FromMember, MemberSpec, MemberUsage, NodeSpec, Stage, ToMember } from './messages.ts'

const MEMBER = fileURLToPath(new URL('member.ts', import.meta.url))

/** A member usually starts within seconds. On a machine whose cores are busy it takes about ten times as long. */
const READY_MS = 120_000
/** A member that takes longer to stop is killed. Longer than the member's own limit, `SHUTDOWN_MS` in `member.ts`. */
const STOP_MS = 6000
/** How many of the last characters of a member's log are kept, to report why it failed. */
const LOG_TAIL = 4000

export interface FleetOptions {
  nodes: readonly NodeSpec[]
  onProgress?: (member: string, stage: Stage | 'ready', fraction: number) => void
  signal?: AbortSignal
}

export class Member {
  readonly name: string
  peerId = ''
  addresses: readonly string[] = []
  readonly #child: ChildProcess
  readonly #ready = Promise.withResolvers<void>()
  readonly #gone = Promise.withResolvers<string>()
  /** Pending requests for usage and metrics. The member answers each kind in order. */
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
    // A process that fails to start emits no exit event.
    this.#child.on('error', (error) => this.#gone.resolve(error.message))
    this.#child.on('exit', (code, signal) => this.#gone.resolve(`the process ended with ${signal ?? code}`))
    void this.#gone.promise.then((why) => this.#ready.reject(new Error(`${spec.name}: ${why}\n${this.#log}`.trimEnd())))
    // `ready()` reports the rejection. If a member is stopped before `ready()` is called, nothing else handles it.
    this.#ready.promise.catch(() => undefined)
  }

  /** Resolves when the relay listens, or when the node has advertised itself. */
  async ready(): Promise<void> {
    const timer = setTimeout(() => {
      this.#ready.reject(new Error(`${this.name} is not ready after ${READY_MS / 1000} s\n${this.#log}`.trimEnd()))
    }, READY_MS)
    await this.#ready.promise.finally(() => clearTimeout(timer))
  }

  join(bootstrap: readonly string[]): void {
    this.#send({ type: 'join', bootstrap: [...bootstrap] })
  }

  /** CPU time and memory of the member's process. */
  async usage(): Promise<MemberUsage> {
    return await this.#ask('usage', this.#usages)
  }

  /** The node's metrics. Resolves after the node has started. */
  async metrics(): Promise<NodeMetrics> {
    return await this.#ask('metrics', this.#metrics)
  }

  /** Closes the IPC channel, which makes the member shut down. Resolves when its process has ended. */
  async stop(): Promise<void> {
    if (this.#child.connected) this.#child.disconnect()
    const timer = setTimeout(() => this.kill('SIGKILL'), STOP_MS)
    await this.#gone.promise
    clearTimeout(timer)
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  async #ask<T>(type: 'usage' | 'metrics', pending: Array<(answer: T) => void>): Promise<T> {
    return await new Promise((resolve, reject) => {
      void this.#gone.promise.then((why) => reject(new Error(`${this.name}: ${why}`)))
      pending.push(resolve)
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
  /** Starts one more node, for example to replace a killed one. Resolves when the node has advertised itself. */
  start: (spec: NodeSpec) => Promise<Member>
  /** Ends every process. Safe to call more than once. */
  stop: () => Promise<void>
}

/**
 * Starts all processes. Never starts more nodes at the same time than the machine has cores. Resolves when every node
 * has advertised itself. On an error or an abort, ends all processes before it rejects.
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
    await raceSignal(Promise.all([relayReady, ...Array.from({ length: availableParallelism() }, startNext)]), signal)
    return { relay, nodes: started, start, stop }
  } catch (error) {
    await stop()
    throw error
  }
}
