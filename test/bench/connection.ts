/**
 * What a connection between two servers of the DHT costs: bytes with the headers of TCP and IP, and the time of a first
 * request at a round trip of 100 ms. The simulator takes its assumptions from here. A proxy between the two counts the
 * bytes and delays them.
 */
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

import { multiaddr, type Multiaddr } from '@multiformats/multiaddr'
import { addProvider, askKad, textCid, type KadPeer } from '@potluck/protocol'

import { openIdentity } from '../../node/data/identity.ts'
import { createRelayHost, type Host } from '../../node/network/libp2p.ts'
import type { BenchContext } from './report.ts'

const HOP_MS = 50
/** By then both sides have identified each other. */
const SETTLED_MS = 3_000
const IDLE_MS = 60_000
/** Headers of TCP and IP of a segment, and of an acknowledgement for every second one. */
const HEADER_BYTES = 52 * 1.5
const SEGMENT_BYTES = 1_448

export async function run({ report, note, signal }: BenchContext): Promise<void> {
  const [own, other] = [await host(), await host()]
  // A new host announces its addresses a few times.
  await sleep(SETTLED_MS, undefined, { signal })
  const proxy = await Proxy.start(other.getMultiaddrs()[0]!)
  const server: KadPeer = {
    peerId: other.peerId,
    addresses: [multiaddr(`${proxy.address}/p2p/${other.peerId.toString()}`)]
  }
  const row = { case: 'two DHT servers', unit: 'B', n: 1 }
  try {
    const startedAt = performance.now()
    const find = async (text: string): Promise<void> => {
      await askKad(own, server, { request: 'find_node', key: textCid(text) }, signal)
    }
    await find('first')
    const firstMs = performance.now() - startedAt
    await sleep(SETTLED_MS, undefined, { signal })
    report({ ...row, metric: 'new connection, with a first request', value: proxy.take() })
    await find('second')
    await sleep(SETTLED_MS, undefined, { signal })
    report({ ...row, metric: 'request for servers, empty reply', value: proxy.take() })
    const provider = { peerId: own.peerId, addresses: own.getMultiaddrs() }
    await addProvider(own, server, { key: textCid('first'), provider }, signal)
    await sleep(SETTLED_MS, undefined, { signal })
    report({ ...row, metric: 'provider record', value: proxy.take() })
    note('The connection is idle for a minute.')
    await sleep(IDLE_MS, undefined, { signal })
    report({ ...row, metric: 'idle for a minute', value: proxy.take() })
    report({ ...row, unit: 'ms', metric: `first request at a round trip of ${2 * HOP_MS} ms`, value: firstMs })
  } finally {
    proxy.stop()
    await Promise.all([own.stop(), other.stop()])
  }
}

async function host(): Promise<Host> {
  const identity = await openIdentity({ onDiskError: () => undefined, onDamage: () => undefined })
  const listen = ['/ip4/127.0.0.1/tcp/0']
  const bounds = { connections: 96, streams: 64 }
  return await createRelayHost({
    identity,
    listen,
    announce: [],
    scope: 'local',
    mdns: false,
    agent: 'bench',
    ...bounds
  })
}

/** Delays every byte by one hop, and the first ones by TCP's round trip too. */
class Proxy {
  readonly #server
  readonly #sockets: Socket[] = []
  #bytes = 0

  private constructor(target: number) {
    this.#server = createServer((near) => {
      const far = connect(target, '127.0.0.1')
      const openAt = performance.now() + 2 * HOP_MS
      this.#sockets.push(near, far)
      this.#carry(near, far, openAt)
      this.#carry(far, near, openAt)
    })
  }

  static async start(target: Multiaddr): Promise<Proxy> {
    const proxy = new Proxy(Number(/\/tcp\/(\d+)/.exec(target.toString())?.[1]))
    proxy.#server.listen(0, '127.0.0.1')
    await once(proxy.#server, 'listening')
    return proxy
  }

  get address(): string {
    return `/ip4/127.0.0.1/tcp/${(this.#server.address() as AddressInfo).port}`
  }

  /** Returns the bytes since the last call. */
  take(): number {
    const bytes = this.#bytes
    this.#bytes = 0
    return bytes
  }

  stop(): void {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
  }

  #carry(from: Socket, to: Socket, openAt: number): void {
    from.setNoDelay(true)
    from.on('error', () => undefined)
    from.on('close', () => to.destroy())
    from.on('data', (data) => {
      this.#bytes += data.length + Math.ceil(data.length / SEGMENT_BYTES) * HEADER_BYTES
      setTimeout(() => to.write(data), Math.max(0, openAt - performance.now()) + HOP_MS)
    })
  }
}
