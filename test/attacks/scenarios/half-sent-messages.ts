import { setTimeout as sleep } from 'node:timers/promises'

import { RELAY_V2_HOP_CODEC } from '@libp2p/circuit-relay-v2'
import type { Connection } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { anyNodeCid, askKad, CARD_PROTOCOL, KAD_PROTOCOL } from '@potluck/protocol'
import { encode as encodeVarint } from 'uint8-varint'

import { startFleet } from '../../../scripts/testnet/fleet.ts'
import type { Attack } from '../attack.ts'
import { AttackedNetwork } from '../network.ts'

const PING_PROTOCOL = '/ipfs/ping/1.0.0'
const MIB = 2 ** 20
/** The longest message that libp2p reads. */
const MESSAGE_BYTES = 4 * MIB
/** Streams of each protocol on one connection: as many as the relay accepts. */
const STREAMS = { [KAD_PROTOCOL]: 32, [RELAY_V2_HOP_CODEC]: 48, [CARD_PROTOCOL]: 40, [PING_PROTOCOL]: 2 }

export const attack: Attack = {
  title: 'sends all of a message but its last byte, on as many streams as a relay accepts',
  cost: '5 keys, 5 connections, 1 GB',
  before: '5 connections made a relay hold 1.4 GB',

  async run({ short, signal, note }) {
    await using network = new AttackedNetwork()
    const fleet = await startFleet({ nodes: [], signal })
    try {
      const target = multiaddr(fleet.relay.addresses[0])
      const honest = await network.peer()
      const server = { peerId: (await honest.dial(target)).remotePeer, addresses: [] }
      const before = await fleet.relay.usage()
      let mostBytes = 0
      let streams = 0
      let answered = 0
      let asked = 0
      const peers = await Promise.all(Array.from({ length: short ? 2 : 5 }, async () => await network.peer()))
      for (const peer of peers) {
        const connection = await peer.dial(target)
        for (const [protocol, count] of Object.entries(STREAMS)) {
          const half = Array.from({ length: count }, async () => await sendHalf(connection, protocol, signal))
          streams += (await Promise.all(half)).filter(Boolean).length
        }
        const { rssBytes } = await fleet.relay.usage()
        mostBytes = Math.max(mostBytes, rssBytes)
        asked++
        await askKad(honest, server, { request: 'find_node', key: anyNodeCid() }, signal).then(
          () => answered++,
          () => undefined
        )
        note(`the relay has ${((rssBytes - before.rssBytes) / MIB).toFixed(0)} MiB more`)
      }
      return [
        { metric: 'messages half sent', value: streams, limit: { atLeast: 100 } },
        {
          metric: 'memory that the relay holds for the attacker, MiB',
          value: (mostBytes - before.rssBytes) / MIB,
          limit: { atMost: 256 }
        },
        { metric: 'honest requests answered, %', value: (100 * answered) / asked, limit: { atLeast: 100 } }
      ]
    } finally {
      await fleet.stop()
    }
  }
}

/**
 * Resolves when the relay holds what it takes of the message, or has reset the stream. Returns whether a stream was
 * open.
 */
async function sendHalf(connection: Connection, protocol: string, signal: AbortSignal): Promise<boolean> {
  try {
    const stream = await connection.newStream(protocol, { signal, maxOutboundStreams: 1_000 })
    const idle = Promise.withResolvers<void>()
    for (const event of ['idle', 'close'] as const) stream.addEventListener(event, () => idle.resolve())
    stream.send(encodeVarint(MESSAGE_BYTES))
    const chunk = new Uint8Array(MIB / 4)
    for (let sent = 0; sent < MESSAGE_BYTES - chunk.byteLength; sent += chunk.byteLength) stream.send(chunk)
    if (stream.writeBufferLength > 0) await Promise.race([idle.promise, sleep(2_000, undefined, { ref: false })])
    return true
  } catch {
    // The relay accepts no more streams.
    return false
  }
}
