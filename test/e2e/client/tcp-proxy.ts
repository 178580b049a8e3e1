/** Carries TCP connections to a port, and can make them half-dead: open at both ends, but nothing arrives. */
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

import { multiaddr, type Multiaddr } from '@multiformats/multiaddr'

export class TcpProxy {
  /** Connections that were opened. */
  opened = 0
  /** If true, new connections are half-dead from the beginning. */
  dead = false
  readonly #server
  readonly #pairs: [Socket, Socket][] = []

  private constructor(target: number) {
    this.#server = createServer((near) => {
      this.opened++
      const far = connect(target, '127.0.0.1')
      this.#pairs.push([near, far])
      for (const socket of [near, far]) socket.on('error', () => undefined)
      near.on('close', () => far.destroy()).pipe(far)
      far.on('close', () => near.destroy()).pipe(near)
      if (this.dead) this.swallow()
    })
  }

  /** @param target an address with a TCP port of this machine */
  static async start(target: Multiaddr): Promise<TcpProxy> {
    const proxy = new TcpProxy(Number(/\/tcp\/(\d+)/.exec(target.toString())?.[1]))
    proxy.#server.listen(0, '127.0.0.1')
    await once(proxy.#server, 'listening')
    return proxy
  }

  get address(): Multiaddr {
    return multiaddr(`/ip4/127.0.0.1/tcp/${(this.#server.address() as AddressInfo).port}`)
  }

  /** From now on nothing arrives on the open connections, and neither end is notified. */
  swallow(): void {
    for (const [near, far] of this.#pairs) {
      near.unpipe(far).resume()
      far.unpipe(near).resume()
    }
  }

  stop(): void {
    for (const socket of this.#pairs.flat()) socket.destroy()
    this.#server.close()
  }
}
